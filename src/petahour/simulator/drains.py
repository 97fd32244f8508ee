"""Drains: planned times in which nodes take nothing new, and maintenance windows in which they are empty."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from petahour.model.promises import Maintenance
from petahour.model.resources import Node
from petahour.model.time import parse_duration
from petahour.simulator.tables import entry_of, numbered, read_tables, refused

MAX_DRAINS = 10_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Drain:
    """Nodes whose names match one of the patterns take nothing new from ``from_ms`` to ``until_ms``.

    What runs there goes on to its end. In a window for ``maintenance`` they are empty instead: what still runs at
    ``from_ms`` is told to stop, saves its work and waits again; and for ``notice_ms`` before, nothing new starts
    there. The scheduler knows the window from the beginning: work that is not spot and tells its walltime starts only
    where that ends before. Times count from the trace's beginning. ``named`` is what errors call it.
    """

    nodes: tuple[str, ...]
    from_ms: int
    until_ms: int
    maintenance: bool = False
    notice_ms: int = 0
    named: str = "drain"

    def __post_init__(self) -> None:
        if not 0 <= self.from_ms < self.until_ms:
            raise refused(f"{self.named}.until", self.until_ms, "after its beginning", "Give a later end.")
        if self.notice_ms and not self.maintenance:
            raise refused(
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
    return parse_drains(read_tables(path, "drain", "nodes, from, until"), path.name)


def parse_drains(tables: object, file: str) -> tuple[Drain, ...]:
    """The drains of such tables; none when there are none. Raises as ``read_drains`` does."""
    return tuple(_drain(table, where) for where, table in numbered(tables, file, "drain", MAX_DRAINS))


def check_drains(drains: Iterable[Drain], nodes: Sequence[str]) -> None:
    """Raises ValidationError for a pattern that no node of the fleet has."""
    for drain in drains:
        for pattern in drain.nodes:
            if not any(fnmatchcase(name, pattern) for name in nodes):
                raise refused(
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
    entry = entry_of(_Entry, table, where, "A drain's fields are nodes, from, until, maintenance and notice.")
    return Drain(
        nodes=tuple(entry.nodes),
        from_ms=parse_duration(entry.begins, field=f"{where}.from"),
        until_ms=parse_duration(entry.until, field=f"{where}.until"),
        maintenance=entry.maintenance,
        notice_ms=parse_duration(entry.notice, field=f"{where}.notice"),
        named=where,
    )
