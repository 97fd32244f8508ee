"""Run times: read off the profile's quantiles, and stretched until they make the load that was asked for."""

from __future__ import annotations

import numpy as np

from petahour.model.errors import ValidationError
from petahour.simulator.generate.draw import Floats, Ints
from petahour.simulator.generate.profile import Profile

LEAST_S = 1
# More stretch than this would turn the profile's hour-long jobs into something else altogether.
MOST_STRETCH = 64
LOAD_TOLERANCE = 0.02
# Factors are counted in steps so that a search over them is exact on every machine.
_STEP_BITS = 20


def class_of(profile: Profile, accelerators: Ints) -> Ints:
    """The number of the profile's duration class of each gang size."""
    starts = np.array([one.from_accelerators for one in profile.durations.classes])
    return (np.searchsorted(starts, accelerators, side="right") - 1).astype(np.int64)


def run_times(profile: Profile, duration_class: Ints, place: Floats) -> Floats:
    """Seconds at the given places (0 to 1) of the classes' quantiles, straight lines in the logarithm between."""
    seconds = np.empty(len(place))
    for index, one in enumerate(profile.durations.classes):
        mine = duration_class == index
        seconds[mine] = np.exp(np.interp(place[mine], profile.durations.points, np.log(one.seconds)))
    return seconds


def whole_seconds(seconds: Floats, longest_s: int) -> Ints:
    """Rounded, at least a second and at most the longest."""
    return np.clip(np.rint(seconds), LEAST_S, longest_s).astype(np.int64)


def stretched(
    seconds: Ints, gang: Ints, kind: Ints, *, accelerators: Ints, load: float, horizon_s: int
) -> tuple[Ints, Floats]:
    """Run times in seconds that make the load, and the factor each type's were stretched by.

    ``seconds``, ``gang`` and ``kind`` (the number of the type) are per job, ``accelerators`` per type. Each type's
    first-choice work is brought to ``load`` x its accelerators x the horizon. No job becomes longer than the
    horizon or than MOST_STRETCH times itself; what a type falls short of by that goes to the others. Raises
    ValidationError when the load cannot be met within LOAD_TOLERANCE.
    """
    groups = [np.flatnonzero(kind == number) for number in range(len(accelerators))]
    wanted = load * accelerators.astype(np.float64) * horizon_s
    most = np.array(
        [_work(seconds[group], gang[group], MOST_STRETCH << _STEP_BITS, horizon_s) for group in groups], np.float64
    )
    aims = _within(wanted, most)
    result, factors = seconds.copy(), np.ones(len(groups))
    for number, group in enumerate(groups):
        if len(group):
            steps = _steps(seconds[group], gang[group], float(aims[number]), horizon_s)
            result[group] = _at(seconds[group], steps, horizon_s)
            factors[number] = steps / (1 << _STEP_BITS)
    made, total = float((result * gang).sum()), float(wanted.sum())
    if abs(made - total) > LOAD_TOLERANCE * total:
        raise _unmet(load, made / total * load, len(seconds))
    return result, factors


def _within(wanted: Floats, most: Floats) -> Floats:
    """The wanted work, no type above its most; the shortfall shared by the others by the room they have."""
    short = float(np.maximum(wanted - most, 0.0).sum())
    room = np.maximum(most - wanted, 0.0)
    if short and room.sum():
        return np.minimum(wanted, most) + room * min(1.0, short / float(room.sum()))
    return np.minimum(wanted, most)


def _at(seconds: Ints, steps: int, longest_s: int) -> Ints:
    half = 1 << (_STEP_BITS - 1)
    scaled: Ints = np.clip((seconds * steps + half) >> _STEP_BITS, LEAST_S, longest_s)
    return scaled


def _work(seconds: Ints, gang: Ints, steps: int, longest_s: int) -> int:
    return int((_at(seconds, steps, longest_s) * gang).sum())


def _steps(seconds: Ints, gang: Ints, aim: float, longest_s: int) -> int:
    """The factor, in steps, whose work is nearest to the aim: work never falls as the factor grows."""
    low, high = 0, MOST_STRETCH << _STEP_BITS
    while low < high:
        middle = (low + high) // 2
        if _work(seconds, gang, middle, longest_s) < aim:
            low = middle + 1
        else:
            high = middle
    below = max(low - 1, 0)
    if aim - _work(seconds, gang, below, longest_s) < _work(seconds, gang, low, longest_s) - aim:
        return below
    return low


def _unmet(load: float, made: float, jobs: int) -> ValidationError:
    if made < load:
        remedy = (
            f"Ask for more jobs (at least {int(jobs * load / made) + 1}), fewer days, a smaller fleet or less load."
        )
    else:
        remedy = "Ask for fewer jobs, more days, a larger fleet or more load."
    return ValidationError(
        field="load",
        value=load,
        rule=f"{jobs} jobs of {LEAST_S} s to the length of the trace can make it; they make {made:.3g}",
        remedy=remedy,
    )
