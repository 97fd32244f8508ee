"""Accelerator-milliseconds per UTC hour and accelerator type, summed from intervals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from petahour.model.time import split_hours


@dataclass(frozen=True, kw_only=True, slots=True)
class Sums:
    """Accelerator-milliseconds. ``open``: held and not metered yet. ``down``: unheld on a drained or dead node."""

    billed_ams: int = 0
    waived_ams: int = 0
    open_ams: int = 0
    idle_ams: int = 0
    down_ams: int = 0
    capacity_ams: int = 0

    @property
    def accounted_ams(self) -> int:
        return self.billed_ams + self.waived_ams + self.open_ams + self.idle_ams + self.down_ams

    @property
    def balanced(self) -> bool:
        return self.accounted_ams == self.capacity_ams

    def __str__(self) -> str:
        return (
            f"billed {self.billed_ams} + waived {self.waived_ams} + open {self.open_ams} + idle {self.idle_ams} "
            f"+ down {self.down_ams} = {self.accounted_ams}, capacity {self.capacity_ams}"
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """One UTC hour of one accelerator type, rehearsal apart from real."""

    hour_ms: int
    type: str
    rehearsal: bool
    sums: Sums


class Part(StrEnum):
    """What became of an accelerator's time; the first five sum to the last."""

    BILLED = "billed"
    WAIVED = "waived"
    OPEN = "open"
    IDLE = "idle"
    DOWN = "down"
    CAPACITY = "capacity"


class Tally:
    """Accelerator-milliseconds per hour, type and part.

    Intervals are kept as steps of a level, so that a thousand idle accelerators cost an hour no more than one.
    """

    def __init__(self, from_ms: int, to_ms: int) -> None:
        self._from_ms = from_ms
        self._to_ms = to_ms
        self._steps: dict[tuple[str, bool, Part], dict[int, int]] = {}
        self._amounts: dict[tuple[int, str, bool], dict[Part, int]] = {}

    def add(self, key: tuple[str, bool], part: Part, start_ms: int, end_ms: int, accelerators: int) -> None:
        """That many accelerators for that time, as far as it lies in the window."""
        start_ms, end_ms = max(start_ms, self._from_ms), min(end_ms, self._to_ms)
        if start_ms < end_ms and accelerators:
            steps = self._steps.setdefault((*key, part), {})
            steps[start_ms] = steps.get(start_ms, 0) + accelerators
            steps[end_ms] = steps.get(end_ms, 0) - accelerators

    def add_amount(self, hour_ms: int, key: tuple[str, bool], part: Part, amount_ams: int) -> None:
        """An amount that is known for its hour."""
        if amount_ams:
            cell = self._amounts.setdefault((hour_ms, *key), {})
            cell[part] = cell.get(part, 0) + amount_ams

    def cells(self) -> tuple[Cell, ...]:
        """All cells that hold anything, by hour, type and rehearsal."""
        for (type_name, rehearsal, part), steps in self._steps.items():
            for hour_ms, amount_ams in _per_hour(steps):
                self.add_amount(hour_ms, (type_name, rehearsal), part, amount_ams)
        self._steps.clear()
        return tuple(
            Cell(hour_ms=hour_ms, type=type_name, rehearsal=rehearsal, sums=_sums(parts))
            for (hour_ms, type_name, rehearsal), parts in sorted(self._amounts.items())
        )


def _per_hour(steps: Mapping[int, int]) -> Iterator[tuple[int, int]]:
    """``(hour, level x milliseconds)`` of a level that changes at each step."""
    level = before_ms = 0
    for at_ms in sorted(steps):
        if level:
            for hour_ms, start_ms, end_ms in split_hours(before_ms, at_ms):
                yield hour_ms, level * (end_ms - start_ms)
        level += steps[at_ms]
        before_ms = at_ms


def _sums(parts: Mapping[Part, int]) -> Sums:
    return Sums(
        billed_ams=parts.get(Part.BILLED, 0),
        waived_ams=parts.get(Part.WAIVED, 0),
        open_ams=parts.get(Part.OPEN, 0),
        idle_ams=parts.get(Part.IDLE, 0),
        down_ams=parts.get(Part.DOWN, 0),
        capacity_ams=parts.get(Part.CAPACITY, 0),
    )
