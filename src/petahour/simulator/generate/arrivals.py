"""Arrivals: when jobs are submitted, by the hour of the day and the day of the week, in bursts."""

from __future__ import annotations

import numpy as np

from petahour.model.time import SECOND_MS
from petahour.simulator.generate.draw import Ints, Source
from petahour.simulator.generate.profile import Rhythm

HOUR_S = 3_600
HOURS_A_DAY = 24
# 1 - u is never 0, so its logarithm is finite; this keeps the rare huge gap from leaving the trace.
_MOST_GAPS = 20.0
_GRAIN = 2.0**20


def arrivals(rhythm: Rhythm, source: Source, task: Ints, horizon_s: int) -> Ints:
    """The second at which each job is submitted, from 0 up to the horizon. The trace begins on a Monday at midnight.

    ``task`` names each job's task; the jobs of one task lie side by side.
    """
    count = len(task)
    # 1. A burst begins with every task, and within one with every job whose predecessor was the last of its burst.
    begins = source.uniform("burst", count) * rhythm.burst_jobs < 1.0
    begins[np.flatnonzero(np.diff(task, prepend=-1))] = True
    first = np.flatnonzero(begins)
    burst = np.cumsum(begins) - 1

    # 2. Bursts begin in the rhythm; within one, gaps add up.
    start_s = _in_rhythm(rhythm, source, len(first), horizon_s)
    gaps = np.minimum(-np.log(1.0 - source.uniform("gap", count)), _MOST_GAPS) * rhythm.burst_gap_s
    gaps_ms = np.rint(gaps * SECOND_MS).astype(np.int64)
    elapsed_ms = np.cumsum(gaps_ms)
    at_s = start_s[burst] + (elapsed_ms - elapsed_ms[first][burst]) // SECOND_MS

    # 3. What runs over the end is turned back into the trace.
    over = at_s >= horizon_s
    at_s[over] = 2 * horizon_s - 1 - at_s[over]
    within: Ints = np.clip(at_s, 0, horizon_s - 1)
    return within


def _in_rhythm(rhythm: Rhythm, source: Source, count: int, horizon_s: int) -> Ints:
    """Seconds whose density follows hour, weekday and noise."""
    hours = -(-horizon_s // HOUR_S)
    days = -(-hours // HOURS_A_DAY)
    hour = np.arange(hours)
    day = hour // HOURS_A_DAY
    density = np.array(rhythm.hours)[hour % HOURS_A_DAY] * np.array(rhythm.weekdays)[day % 7]
    density *= np.exp(rhythm.day_noise * source.bell("day", days))[day]
    density *= np.exp(rhythm.hour_noise * source.bell("hour", hours))
    density = np.rint(density * _GRAIN)
    edges = np.minimum(np.arange(hours + 1) * HOUR_S, horizon_s).astype(np.float64)
    mass = np.concatenate([[0.0], np.cumsum(density * np.diff(edges))])
    instants: Ints = np.interp(source.uniform("arrival", count) * mass[-1], mass, edges).astype(np.int64)
    return instants
