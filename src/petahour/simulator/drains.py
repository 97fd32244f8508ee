"""Drains: planned times in which nodes take nothing new, and maintenance windows in which they are empty."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from pydantic import ValidationError as SchemaError

from petahour.model.errors import ValidationError
from petahour.model.promises import Maintenance
from petahour.model.resources import Node
from petahour.model.time import parse_duration

MAX_DRAINS = 10_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Drain:
    """Nodes whose names match one of the patterns take nothing new from ``from_ms`` to ``until_ms``.

    What runs there goes on to its end. In a window for ``maintenance`` they are empty instead: what still runs at
    ``from_ms`` is told to stop, saves its work and waits again; and for ``notice_ms`` before, nothing new starts
    there. The scheduler knows the window from the beginning: work that is not spot and tells its walltime starts only
    where that ends before. Times count from the trace's first submission. ``named`` is what errors call it.
    """

    nodes: tuple[str, ...]
    from_ms: int
    until_ms: int
    maintenance: bool = False
    notice_ms: int = 0
    named: str = "drain"

    def __post_init__(self) -> None:
        if not 0 <= self.from_ms < self.until_ms:
            raise _refuse(f"{self.named}.until", self.until_ms, "after its beginning", "Give a later end.")
        if self.notice_ms and not self.maintenance:
            raise _refuse(
                f"{self.named}.notice",
                self.notice_ms,
                "a drain without maintenance stops nobody, so nothing needs a notice",
                "Leave out notice, or say maintenance = true.",
            )

    def covers(self, node: str) -> bool:
        """Whether the node of this name is one of them."""
        return any(fnmatchcase(node, pattern) for pattern in self.nodes)


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    nodes: Annotated[list[Annotated[str, Field(min_length=1, max_length=120)]], Field(min_length=1)]
    begins: str | int = Field(alias="from")
    until: str | int
    maintenance: bool = False
    notice: str | int = 0


def read_drains(path: Path) -> tuple[Drain, ...]:
    """The ``[[drain]]`` tables of a TOML file. Raises ValidationError naming file, drain, field, rule and remedy."""
    try:
        parsed = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise _refuse(str(path), None, f"a readable TOML file ({error})", "Check the path and the file.") from None
    extra = sorted(set(parsed) - {"drain"})
    if extra:
        raise _refuse(f"{path.name}: {extra[0]}", None, "a file of [[drain]] tables alone", "Write [[drain]].")
    drains = parse_drains(parsed.get("drain"), path.name)
    if not drains:
        raise _refuse(f"{path.name}: drain", None, "at least one [[drain]]", "Add one: nodes, from, until.")
    return drains


def parse_drains(tables: object, file: str) -> tuple[Drain, ...]:
    """The drains of such tables; none when there are none. Raises as ``read_drains`` does."""
    if tables is None:
        return ()
    if not isinstance(tables, list) or len(tables) > MAX_DRAINS:
        raise _refuse(f"{file}: drain", None, f"at most {MAX_DRAINS} [[drain]] tables", "Write [[drain]].")
    return tuple(_drain(table, f"{file}: drain {number}") for number, table in enumerate(tables, 1))


def check_drains(drains: Iterable[Drain], nodes: Sequence[str]) -> None:
    """Raises ValidationError for a pattern that no node of the fleet has."""
    for drain in drains:
        for pattern in drain.nodes:
            if not any(fnmatchcase(name, pattern) for name in nodes):
                raise _refuse(
                    f"{drain.named}.nodes",
                    pattern,
                    "the name of a node of the fleet, or a pattern of names",
                    f"Nodes of this fleet are {', '.join(nodes[:3])} and so on.",
                )


def windows_of(drains: Sequence[Drain], nodes: Sequence[Node]) -> list[Maintenance]:
    """The maintenance windows among them, as the scheduler knows them from the beginning."""
    return [
        Maintenance(
            id=f"{drain.named} {number}",
            nodes=tuple(node.name for node in nodes if drain.covers(node.name)),
            from_ms=drain.from_ms,
            to_ms=drain.until_ms,
            reason="",
        )
        for number, drain in enumerate(drains)
        if drain.maintenance
    ]


def _drain(table: object, where: str) -> Drain:
    if not isinstance(table, Mapping):
        raise _refuse(where, None, "a table", "Write [[drain]].")
    try:
        entry = _Entry.model_validate(dict(table))
    except SchemaError as error:
        first = error.errors()[0]
        raise _refuse(
            f"{where}.{'.'.join(str(part) for part in first['loc'])}",
            None if first["type"] == "missing" else first["input"],
            {"extra_forbidden": "no such field", "missing": "must be given"}.get(first["type"], first["msg"]),
            "A drain's fields are nodes, from, until, maintenance and notice.",
        ) from None
    return Drain(
        nodes=tuple(entry.nodes),
        from_ms=parse_duration(entry.begins, field=f"{where}.from"),
        until_ms=parse_duration(entry.until, field=f"{where}.until"),
        maintenance=entry.maintenance,
        notice_ms=parse_duration(entry.notice, field=f"{where}.notice"),
        named=where,
    )


def _refuse(field: str, value: object, rule: str, remedy: str) -> ValidationError:
    return ValidationError(field=field, value=value, rule=rule, remedy=remedy)
