"""fleet.toml: nodes declared by hand, among them rehearsal nodes without a device behind them."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field
from pydantic import ValidationError as SchemaError

from petahour.catalog.catalog import Catalog
from petahour.model.errors import ValidationError
from petahour.model.resources import MAX_ACCELERATORS_PER_NODE, Node

MAX_NODES = 100_000
_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,99}")


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    name: str
    type: str
    accelerators: int = Field(ge=1, le=MAX_ACCELERATORS_PER_NODE)
    count: int = Field(default=1, ge=1, le=MAX_NODES)
    pool: str | None = Field(default=None, min_length=1, max_length=120)
    switch: str = Field(default="", max_length=120)
    rehearsal: bool = False
    engine: str = "local"


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    node: list[_Entry] = Field(default_factory=list)


def read_fleet(path: Path, catalog: Catalog) -> tuple[Node, ...]:
    """The declared nodes. ``count = 4`` makes name-0 to name-3.

    Raises ValidationError naming file, entry and rule. A local node must be a rehearsal: the host's own
    accelerators are found, not declared.
    """
    try:
        parsed = _File.model_validate(tomllib.loads(path.read_text("utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise _refuse(path, str(path), f"a readable UTF-8 TOML file ({error})") from None
    except SchemaError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise _refuse(path, place, first["msg"], first.get("input")) from None
    nodes: dict[str, Node] = {}
    for entry in parsed.node:
        for node in _nodes(path, entry, catalog):
            if node.name in nodes:
                raise _refuse(path, "node.name", "every node has a name of its own", node.name)
            nodes[node.name] = node
    if len(nodes) > MAX_NODES:
        raise _refuse(path, "node", f"at most {MAX_NODES} nodes", len(nodes))
    return tuple(nodes.values())


def _nodes(path: Path, entry: _Entry, catalog: Catalog) -> list[Node]:
    if _NAME.fullmatch(entry.name) is None:
        raise _refuse(path, "node.name", "small letters, digits, dots and dashes", entry.name)
    if entry.engine == "local" and not entry.rehearsal:
        raise _refuse(
            path, f"node.{entry.name}.rehearsal", "a declared local node is a rehearsal (rehearsal = true)", False
        )
    accelerator_type = catalog.get(entry.type).name
    pool = entry.pool or ("rehearsal-" if entry.rehearsal else "") + accelerator_type
    names = [entry.name] if entry.count == 1 else [f"{entry.name}-{number}" for number in range(entry.count)]
    return [
        Node(
            name=name,
            pool=pool,
            engine=entry.engine,
            type=accelerator_type,
            accelerators=entry.accelerators,
            switch=entry.switch,
            rehearsal=entry.rehearsal,
        )
        for name in names
    ]


def _refuse(path: Path, field: str, rule: str, value: object = None) -> ValidationError:
    return ValidationError(field=field, value=value, rule=rule, remedy=f"Mend {path.name} and start again.")
