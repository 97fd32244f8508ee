"""Tasks: what tenants submit again and again under one name."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from petahour.simulator.generate.draw import Flags, Floats, Ints, Source, apportion, chosen, laid, pick
from petahour.simulator.generate.profile import Profile
from petahour.simulator.generate.run_times import class_of, run_times
from petahour.simulator.generate.seats import Seats

_GRAIN = 2.0**40


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskTable:
    """Tasks as columns; one entry per task.

    ``number`` counts a tenant's tasks from 0. ``type`` numbers the profile's types. ``place`` and ``width`` are the
    task's stretch of the quantiles of its duration class; ``median_s`` is what lies in its middle. ``over`` is the
    factor by which a declared walltime exceeds the median, 0 when none is declared.
    """

    tenant: Ints
    number: Ints
    jobs: Ints
    type: Ints
    gang: Ints
    duration_class: Ints
    place: Floats
    width: Floats
    median_s: Floats
    spot: Flags
    flexible: Flags
    power: Ints
    over: Floats


def tasks_of(profile: Profile, source: Source, *, jobs: int, tenants: int, seats: Seats) -> TaskTable:
    """Tasks whose jobs sum to ``jobs``; every tenant has at least one."""
    # 1. Who submits how often what.
    tenant, number, runs = _tasks_by_tenant(profile, jobs, tenants)
    count, weight = len(runs), runs.astype(np.float64)

    # 2. On which type: at home the tenants lie side by side along the types, so that each keeps to one or two.
    home = chosen(np.full(count, profile.tenants.home), source.uniform("home", count), weight)
    turn = source.shuffled("tenant-order", tenants)
    along = np.where(home, turn[tenant], 0) + source.uniform("type-order", count)
    begin, length = laid(home.astype(np.int64), along, weight)
    kind = pick(seats.job_shares, begin + length / 2)

    # 3. In which gang, for how long.
    begin, length = laid(kind, source.uniform("gang-order", count), weight)
    gang = np.ones(count, np.int64)
    for index, habit in enumerate(profile.types):
        mine = kind == index
        shares = seats.gang_shares(profile, index)
        if mine.any():
            gang[mine] = np.array(habit.gangs)[pick(shares, (begin + length / 2)[mine])]
    duration_class = class_of(profile, gang)
    # Evenly along the class's quantiles for each type by itself, so that no type has all the long tasks by luck.
    along, _ = laid(duration_class * len(profile.types) + kind, source.uniform("duration-order", count), weight)
    along += source.uniform("duration-offset", len(profile.types))[kind]
    begin, width = laid(duration_class, along % 1.0, weight)
    place = begin + width / 2
    median_s = run_times(profile, duration_class, place)

    # 4. How firmly, how openly, how flexibly.
    band = np.searchsorted(np.array(profile.spot.below_s), median_s, side="right")
    spot = chosen(np.array(profile.spot.shares)[band], band + source.uniform("spot-order", count), weight)
    declared = chosen(np.full(count, profile.walltime.declared), source.uniform("declared", count), weight)
    factors = np.array(profile.walltime.over)
    over = factors[pick(np.ones(len(factors)), source.uniform("over", count))]
    return TaskTable(
        tenant=tenant,
        number=number,
        jobs=runs,
        type=kind,
        gang=gang,
        duration_class=duration_class,
        place=place,
        width=width,
        median_s=median_s,
        spot=spot,
        flexible=chosen(np.full(count, profile.choice.flexible), source.uniform("flexible", count), weight),
        power=pick(np.ones(len(profile.choice.powers)), source.uniform("power", count)),
        over=np.where(declared, over, 0.0),
    )


def tenant_shares(profile: Profile, tenants: int) -> Floats:
    """Each tenant's share of the jobs, the largest first.

    As many as the profile has ranks or fewer: its first ranks. More: the same curve with ranks in between, so that
    demand is as concentrated among 500 tenants as among 84.
    """
    ranks, shares = np.array(profile.tenants.ranks, np.float64), np.array(profile.tenants.job_shares)
    last = float(ranks[-1])
    at = np.arange(1.0, tenants + 1) if tenants <= last else np.linspace(1.0, last, tenants)
    weights = np.rint(np.exp(np.interp(np.log(at), np.log(ranks), np.log(shares))) * _GRAIN)
    made: Floats = weights / weights.sum()
    return made


def _tasks_by_tenant(profile: Profile, jobs: int, tenants: int) -> tuple[Ints, Ints, Ints]:
    """Tenant, number within the tenant, and runs of every task that runs at all."""
    habit = profile.tasks
    jobs_of = apportion(jobs, tenant_shares(profile, tenants), least=1)
    tasks_of_tenant = np.maximum(1, np.rint(jobs_of / habit.runs)).astype(np.int64)
    tenant = np.repeat(np.arange(tenants), tasks_of_tenant)
    first = np.cumsum(tasks_of_tenant) - tasks_of_tenant
    number = np.arange(len(tenant)) - first[tenant]
    weights = 1.0 / (number + 1 + habit.flat)
    weights *= (jobs_of / np.add.reduceat(weights, first))[tenant]
    # Rounding the running sum instead of each task keeps every tenant's total.
    runs = np.diff(np.rint(np.cumsum(weights)), prepend=0.0).astype(np.int64)
    ran = runs > 0
    return tenant[ran].astype(np.int64), number[ran].astype(np.int64), runs[ran]
