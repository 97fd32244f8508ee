"""Estimates: what a piece of work takes on one type, before own runs correct it and prices are put on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from petahour.model.quotes import Choice


@dataclass(frozen=True, kw_only=True, slots=True)
class TypeEstimate:
    """One way to do the work on one type. Seconds, with ``low_s`` and ``high_s`` holding eight of ten outcomes.

    The other fields are those of a QuoteLine. ``learns``: finished runs may correct it.
    """

    type: str
    accelerators: int
    plan: str
    run_s: float
    low_s: float
    high_s: float
    step_s: float | None = None
    petaflop_hours: float | None = None
    energy_kwh: float | None = None
    memory_part: float | None = None
    limit: str | None = None
    learns: bool = True
    choices: tuple[Choice, ...] = ()
    details: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
