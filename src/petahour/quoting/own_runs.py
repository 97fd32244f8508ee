"""What finished runs teach later quotes of the same work on the same type: one bounded factor and its spread."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

PRIOR_RUNS = 2.0  # the model's own figure counts as much as so many runs
MOST_FACTOR = 2.0  # what a few odd runs can do to a quote at most, in either direction
LEAST_RATIO, MOST_RATIO = 0.5, 2.0  # measured over quoted: outside it was another piece of work than the quoted one
MOST_REACH = 4.0  # how far a bound of an interval lies from what is expected at most, in either direction
LEAST_SPREAD = 0.02
NORMAL_80 = 1.2815515594457  # eight of ten draws of a normal distribution lie within so many deviations


@dataclass(frozen=True, kw_only=True, slots=True)
class Correction:
    """``factor`` multiplies the modelled time; ``spread`` is the relative deviation left; ``runs`` taught it."""

    factor: float
    spread: float
    runs: int


def learn(ratios: Sequence[float], *, spread: float) -> Correction:
    """The correction from ratios of measured to modelled run time, each above zero, of runs of one kind.

    Ratios are taken as log-normal around a factor whose prior is 1 with the weight of PRIOR_RUNS runs, and whose
    deviation has the calibration's ``spread`` as prior of the same weight (a normal-inverse-gamma model with the
    mean's and the variance's prior at equal strength). The factor is bounded: own runs refine the model, and a
    model that is off by more than that is to be mended, not corrected.
    """
    logs = [math.log(ratio) for ratio in ratios if math.isfinite(ratio) and ratio > 0]
    count = len(logs)
    if not count:
        return Correction(factor=1.0, spread=max(LEAST_SPREAD, spread), runs=0)
    centre = sum(logs) / (count + PRIOR_RUNS)
    bound = math.log(MOST_FACTOR)
    centre = max(-bound, min(bound, centre))
    squares = PRIOR_RUNS * spread**2 + sum((value - centre) ** 2 for value in logs) + PRIOR_RUNS * centre**2
    return Correction(
        factor=math.exp(centre),
        spread=max(LEAST_SPREAD, math.sqrt(squares / (count + PRIOR_RUNS))),
        runs=count,
    )


def fair(measured_ms: float, quoted_ms: float) -> bool:
    """Whether a run is a fair sample of what was quoted: it took between half and twice as long.

    Another one (a command that did not do the quoted work, a wrong amount) would teach what it was not asked.
    """
    return LEAST_RATIO <= measured_ms / quoted_ms <= MOST_RATIO


def spread_of(low: float, high: float) -> float:
    """The relative deviation of a log-normal interval that holds eight of ten outcomes."""
    return math.log(high / low) / (2 * NORMAL_80)


def bounds_of(expected: float, spread: float) -> tuple[float, float]:
    """The interval around an expected value that holds eight of ten outcomes, MOST_REACH to either side at most."""
    reach = math.exp(min(NORMAL_80 * spread, math.log(MOST_REACH)))
    return expected / reach, expected * reach
