"""The one shape of a report: columns that say what they hold, rows of plain values, and what to draw of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
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


def parts_in(parts: Sequence[int], unit: int, digits: int) -> list[Decimal]:
    """The parts of a whole in a larger unit, with so many decimals, that sum to the whole rounded once, half to even.

    Each is rounded down, and the last decimals that are then missing go to those that lost most, the first of equals.
    """
    scaled = [divmod(part * 10**digits, unit) for part in parts]
    whole, rest = divmod(sum(parts) * 10**digits, unit)
    whole += 2 * rest + (whole & 1) > unit
    figures = [figure for figure, _ in scaled]
    most = sorted(range(len(parts)), key=lambda place: (-scaled[place][1], place))
    for place in most[: whole - sum(figures)]:
        figures[place] += 1
    return [Decimal(figure).scaleb(-digits) for figure in figures]


def share_ppm(part: int, whole: int) -> int | None:
    """``part`` of ``whole`` in parts per million; None of nothing."""
    return None if not whole else part * 1_000_000 // whole
