"""The one shape of a report: columns that say what they hold, rows of plain values, and what to draw of them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

Cell = str | int | None


class Holds(StrEnum):
    """What a column holds, and in which whole unit: micro-units, accelerator-milliseconds, parts per million, ..."""

    TEXT = "text"
    MONEY = "money"  # micro-units of the row's ``currency``
    HOURS = "hours"  # accelerator-milliseconds
    SHARE = "share"  # parts per million
    DURATION = "duration"  # milliseconds
    INSTANT = "instant"  # milliseconds since the epoch
    ENERGY = "energy"  # watt-hours


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """A column's name for programs, its title for people, and what it holds."""

    name: str
    title: str
    holds: Holds = Holds.TEXT


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """A table. ``labels`` name the columns that name a bar of its chart, ``series`` those drawn, beside or upon.

    A last row whose first cell is ``all`` is a total, and not drawn. ``notes`` say what a reader must know.
    """

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    labels: tuple[str, ...]
    series: tuple[str, ...]
    stacked: bool = False
    notes: tuple[str, ...] = ()

    def place(self, name: str) -> int:
        """Where a column stands."""
        return [column.name for column in self.columns].index(name)


def share_ppm(part: int, whole: int) -> int | None:
    """``part`` of ``whole`` in parts per million; None of nothing."""
    return None if not whole else part * 1_000_000 // whole
