"""The least end: how soon all the work that waits and runs could be over, and on which types it would be done."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from petahour.scheduler.shares.demand import Demand
from petahour.scheduler.shares.linear import Floats, Program, per_job, per_type


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Plan:
    """``time_s[job, type]``: how long each job runs there so that the last one ends ``end_s`` from now.

    No schedule ends sooner, even one that moves jobs freely: ``end_s`` is a bound to judge any order by. A job that
    can run nowhere has no time in it.
    """

    time_s: Floats
    end_s: float


def no_plan(demand: Demand) -> Plan:
    """A plan that says nothing."""
    return Plan(time_s=np.zeros(demand.speeds.shape), end_s=0.0)


def soon_end(demand: Demand, remaining: Floats) -> float:
    """When all is over if each job runs on its fastest type alone, moved at will: never sooner than the least end."""
    usable = demand.usable
    runs = np.flatnonzero((usable.max(axis=1, initial=0.0) > 0) & (remaining > 0))
    if not len(runs):
        return 0.0
    needed_s = remaining[runs] / usable[runs].max(axis=1)
    on = usable[runs].argmax(axis=1)
    load = np.bincount(on, needed_s * demand.gangs[runs], minlength=usable.shape[1])
    # Where a job has a speed there are accelerators.
    load_s = np.divide(load, demand.capacities, out=np.zeros_like(load), where=demand.capacities > 0)
    return float(max(needed_s.max(), load_s.max()))


def least_end(demand: Demand, remaining: Floats) -> Plan:
    """The plan of least end for ``remaining`` work of each job; gangs keep their size.

    Source: Narayanan et al., OSDI 2020, section 4.2 (makespan), here one program in place of a search.
    """
    jobs, types = demand.speeds.shape
    time_s = np.zeros((jobs, types))
    runs = np.flatnonzero((demand.usable.max(axis=1, initial=0.0) > 0) & (remaining > 0))
    if not len(runs):
        return Plan(time_s=time_s, end_s=0.0)
    speeds, work = demand.usable[runs], remaining[runs]
    needed_s = work / speeds.max(axis=1)
    if types == 1:
        # With nothing to choose the bound is the longest job or the load, whichever is later.
        load_s = float((needed_s * demand.gangs[runs]).sum() / demand.capacities[0])
        time_s[runs, 0] = needed_s
        return Plan(time_s=time_s, end_s=max(load_s, float(needed_s.max())))
    # Times are told in units of the longest job, so that the program's numbers are of one size.
    unit_s, last = float(needed_s.max()), len(runs) * types
    gangs = np.repeat(demand.gangs[runs, None].astype(np.float64), types, axis=1)
    program = Program(columns=last + 1)
    program.add(per_job(np.ones(speeds.shape)).plus(last, np.full(len(runs), -1.0)), high=np.zeros(len(runs)))
    program.add(per_type(gangs).plus(last, -demand.capacities.astype(np.float64)), high=np.zeros(types))
    program.add(per_job(speeds * (unit_s / work)[:, None]), low=np.ones(len(runs)))
    gain = np.zeros(last + 1)
    gain[last] = -1.0
    x = program.solve(gain).x
    time_s[runs] = np.where(speeds > 0, np.maximum(x[:last].reshape(len(runs), types), 0.0) * unit_s, 0.0)
    return Plan(time_s=time_s, end_s=float(x[last]) * unit_s)
