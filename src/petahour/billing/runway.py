"""Runway: when credit runs out at the present burn, and when that is worth a warning."""

from __future__ import annotations

from collections.abc import Sequence

from petahour.model.time import DAY_MS, HOUR_MS

FAR_MS = 100 * 366 * DAY_MS  # beyond a century nothing is said of the end


def exhausted_ms(*, left_micros: int, burn_micros: int, at_ms: int) -> int | None:
    """The instant at which ``left_micros`` are used up at ``burn_micros`` an hour, rounded down; None: never."""
    if burn_micros <= 0:
        return None
    lasts_ms = max(0, left_micros) * HOUR_MS // burn_micros
    return None if lasts_ms > FAR_MS else at_ms + lasts_ms


def warning_level(left_ms: int | None, thresholds_h: Sequence[int]) -> int | None:
    """The least threshold in hours that the time left has reached; None when none is."""
    if left_ms is None:
        return None
    return min((hours for hours in thresholds_h if left_ms <= hours * HOUR_MS), default=None)
