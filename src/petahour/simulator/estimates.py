"""Estimates: what users would declare as walltimes, made from true run times with a seed.

Published kinds of wrongness:

- ``lognormal:S``: the run time x a log-normal factor, exp(S x z) with z normal: as often too short as too long, by a
  factor of exp(S) in either direction for a third of the jobs.
- ``f:F``: the f-model: uniform between the run time and (F + 1) x the run time, never too short (Mu'alem and
  Feitelson, "Utilization, Predictability, Workloads, and User Runtime Estimates in Scheduling the IBM SP2 with
  Backfilling", IEEE TPDS 12(6), 2001).
- ``modal:F``: the f-model, rounded up to one of a few lengths that people write: 20 values make up about nine tenths
  of all estimates (Tsafrir, Etsion and Feitelson, "Modeling User Runtime Estimates", JSSPP 2005).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass, replace
from math import cos, exp, log, pi, sqrt

from petahour.model.errors import ValidationError
from petahour.model.time import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS
from petahour.simulator.generate.draw import Source
from petahour.simulator.trace import Trace, TraceJob

MOST = {"lognormal": 5.0, "f": 1_000.0, "modal": 1_000.0}
# What people write, in the order of length; above the last whole days are written.
LENGTHS_MS = (
    *(minutes * MINUTE_MS for minutes in (5, 10, 15, 20, 30, 45)),
    *(hours * HOUR_MS for hours in (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 18, 20, 24, 36, 48, 72, 96, 120, 168)),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class EstimateNoise:
    """A kind of wrongness and how much of it. Raises ValidationError."""

    kind: str
    amount: float

    def __post_init__(self) -> None:
        if self.kind not in _FACTORS:
            raise _refuse(self.kind, f"one of {', '.join(_FACTORS)}")
        if not 0 <= self.amount <= MOST[self.kind]:
            raise _refuse(self.amount, f"an amount from 0 to {MOST[self.kind]:g}")


def parse_noise(text: str) -> EstimateNoise:
    """``lognormal:0.5``, ``f:4`` or ``modal:4``. Raises ValidationError."""
    kind, _, amount = text.partition(":")
    try:
        return EstimateNoise(kind=kind, amount=float(amount))
    except ValueError:
        raise _refuse(text, "a kind and an amount") from None


def with_estimates(trace: Trace, noise: EstimateNoise, seed: int) -> Trace:
    """The trace with a declared walltime for every job, instead of those it had; the same for a seed everywhere.

    A walltime covers the slowest of the acceptable types. It is whole seconds, at least one.
    """
    source, count = Source(seed), len(trace.jobs)
    first = source.uniform("estimate", count).tolist()
    second = source.uniform("estimate angle", count).tolist()
    factor = _FACTORS[noise.kind]
    jobs = [
        _declared(job, noise.kind, factor(noise.amount, one, other))
        for job, one, other in zip(trace.jobs, first, second, strict=True)
    ]
    return replace(trace, jobs=jobs)


def _declared(job: TraceJob, kind: str, factor: float) -> TraceJob:
    exact_ms = job.duration_ms / min(job.speeds, default=1.0) * factor
    walltime_ms = max(1, -int(-exact_ms // SECOND_MS)) * SECOND_MS
    return replace(job, walltime_ms=_usual(walltime_ms) if kind == "modal" else walltime_ms)


def _usual(walltime_ms: int) -> int:
    """The least length that people write which is no shorter."""
    if walltime_ms > LENGTHS_MS[-1]:
        return -(-walltime_ms // DAY_MS) * DAY_MS
    return LENGTHS_MS[bisect_left(LENGTHS_MS, walltime_ms)]


def _lognormal(amount: float, one: float, other: float) -> float:
    """A normal number by Box and Muller's transform (Annals of Mathematical Statistics 29(2), 1958)."""
    return exp(amount * sqrt(-2.0 * log(1.0 - one)) * cos(2.0 * pi * other))


def _uniform(amount: float, one: float, other: float) -> float:
    return 1.0 + amount * one


_FACTORS: dict[str, Callable[[float, float, float], float]] = {
    "lognormal": _lognormal,
    "f": _uniform,
    "modal": _uniform,
}


def _refuse(value: object, rule: str) -> ValidationError:
    return ValidationError(
        field="estimate_noise", value=value, rule=rule, remedy='Write it like "lognormal:0.5", "f:4" or "modal:4".'
    )
