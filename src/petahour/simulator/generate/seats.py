"""Seats: what a fleet offers to a profile's demand, type by type."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from petahour.model.errors import ValidationError
from petahour.model.resources import Node
from petahour.simulator.generate.draw import Floats, Ints
from petahour.simulator.generate.profile import Profile, TypeHabit
from petahour.simulator.generate.run_times import class_of, run_times

# A gang that takes the whole of a type would wait for everybody else to leave; nobody runs a floor like that.
LARGEST_GANG = 0.5
_NO_LIMIT = np.iinfo(np.int64).max
_MEAN_POINTS = 2_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Seats:
    """By type of the profile: its share of the jobs, its accelerators (0 without a fleet), its largest gang."""

    job_shares: Floats
    accelerators: Ints
    largest: Ints

    def gang_shares(self, profile: Profile, number: int) -> Floats:
        """The shares of the type's gangs, those that are too large left out."""
        return _fitting(profile.types[number], int(self.largest[number]))


def unbounded_seats(profile: Profile, largest: int = _NO_LIMIT) -> Seats:
    """The profile's own shares, on a fleet without an end; no gang above ``largest``."""
    shares = np.array([habit.job_share for habit in profile.types])
    return Seats(
        job_shares=shares / shares.sum(),
        accelerators=np.zeros(len(shares), np.int64),
        largest=np.full(len(shares), largest, np.int64),
    )


def seats_of(profile: Profile, nodes: Sequence[Node], *, even: bool, longest_s: int) -> Seats:
    """The seats of a fleet, no type of which is asked for by a gang above half of it.

    ``even``: each type gets as many jobs as its accelerators call for, by the work that its jobs are expected to be
    when none is longer than ``longest_s``. Otherwise it gets the profile's share of jobs, more or fewer as there is
    more or less of it than in the profile's own fleet. Raises ValidationError when the fleet has a type that the
    profile does not know.
    """
    names = [habit.name for habit in profile.types]
    unknown = sorted({node.type for node in nodes} - set(names))
    if unknown:
        raise ValidationError(
            field="nodes",
            value=unknown[0],
            rule=f"a type that the profile {profile.name} knows ({', '.join(names)})",
            remedy="Change the fleet, or write a profile that has this type and name its path.",
        )
    accelerators = np.array(
        [sum(node.accelerators for node in nodes if node.type == name) for name in names], np.int64
    )
    largest = np.array([largest_gang(nodes, name) for name in names], np.int64)
    if even:
        work = [
            _mean_work(profile, habit, int(most), longest_s)
            for habit, most in zip(profile.types, largest, strict=True)
        ]
        weights = accelerators / np.array(work)
    else:
        reference = np.array([max(habit.fleet_share, 1e-9) for habit in profile.types])
        weights = np.array([habit.job_share for habit in profile.types]) * accelerators / reference
    if not weights.sum():
        raise ValidationError(
            field="nodes",
            value=None,
            rule="some type of the fleet has a share of the profile's jobs",
            remedy="Add nodes of another type, or mend the profile's job_share.",
        )
    return Seats(job_shares=weights / weights.sum(), accelerators=accelerators, largest=largest)


def largest_gang(nodes: Sequence[Node], type_name: str) -> int:
    """Half of the accelerators of the type's widest nodes in one pool, at least 1; 0 where there are none."""
    widths: dict[str, list[int]] = {}
    for node in nodes:
        if node.type == type_name:
            widths.setdefault(node.pool, []).append(node.accelerators)
    wide = [max(pool) * pool.count(max(pool)) for pool in widths.values()]
    return max(1, int(max(wide) * LARGEST_GANG)) if wide else 0


def _fitting(habit: TypeHabit, largest: int) -> Floats:
    return np.where(np.array(habit.gangs) <= max(largest, 1), np.array(habit.gang_shares), 0.0)


def _mean_work(profile: Profile, habit: TypeHabit, largest: int, longest_s: int) -> float:
    """Accelerator-seconds that a job of the type is expected to be."""
    shares, gangs = _fitting(habit, largest), np.array(habit.gangs, np.int64)
    places = (np.arange(_MEAN_POINTS) + 0.5) / _MEAN_POINTS
    means = [
        float(np.minimum(run_times(profile, np.full(_MEAN_POINTS, number), places), longest_s).mean())
        for number in class_of(profile, gangs).tolist()
    ]
    return float((shares * gangs * np.array(means)).sum() / shares.sum())
