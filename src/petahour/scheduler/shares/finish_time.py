"""Finish-time fairness: nobody ends much later than with a share of the fleet to itself."""

from __future__ import annotations

import numpy as np

from petahour.model.errors import ValidationError
from petahour.scheduler.shares.demand import Demand
from petahour.scheduler.shares.linear import Floats, Program, per_job, per_type

_CLOSE = 1e-6  # relative: two ratios closer than this are equal
_TRIES = 100
_SLACK = 1e-6  # relative: less than this is asked of a program, for the solver's own tolerance of 1e-7


def alone_speeds(demand: Demand) -> Floats:
    """Each job's speed with one of as many equal parts of the fleet as there are jobs, and at most all its time."""
    jobs = len(demand.gangs)
    if jobs == 0:
        return np.zeros(0)
    shares = demand.capacities[None, :] / (jobs * demand.gangs[:, None])
    speeds: Floats = (demand.usable * shares).sum(axis=1) / np.maximum(shares.sum(axis=1), 1.0)
    return speeds


def finish_time(demand: Demand, *, remaining: Floats, elapsed_s: Floats, alone_s: Floats) -> Floats:
    """Shares of time ``x[job, type]``, in 0..1, that make the worst finish-time ratio least.

    The ratio of a job is ``(elapsed_s + remaining / speed under x) / (alone_s + remaining / alone_speeds)``:
    ``elapsed_s`` since it came, ``remaining`` work, ``alone_s`` the seconds its work so far would have taken at
    the ``alone_speeds`` of its time. What is left over goes where it adds most speed, measured by ``alone_speeds``.
    Source: Narayanan et al., OSDI 2020, section 4.2, after Themis (NSDI 2020).
    """
    jobs, types = demand.speeds.shape
    if not all(values.shape == (jobs,) for values in (remaining, elapsed_s, alone_s)) or (remaining <= 0).any():
        raise ValidationError(
            field="remaining",
            value=None,
            rule="must be positive, one for each job, and so many of elapsed_s and alone_s",
            remedy="Leave out jobs that are done.",
        )
    alone = alone_speeds(demand)
    runs = np.flatnonzero(alone > 0)
    x = np.zeros((jobs, types))
    if not len(runs):
        return x
    part = Demand(speeds=demand.speeds[runs], gangs=demand.gangs[runs], capacities=demand.capacities)
    due_s = alone_s[runs] + remaining[runs] / alone[runs]
    # In alone speeds, so that the rates are of one scale.
    gains = part.usable / alone[runs][:, None]
    work_s = remaining[runs] / alone[runs]
    x[runs] = _fastest(part, gains, _least_needs(part, gains, work_s, elapsed_s[runs], due_s))
    return np.where(demand.usable > 0, np.clip(x, 0.0, 1.0), 0.0)


def _least_needs(demand: Demand, gains: Floats, work_s: Floats, elapsed_s: Floats, due_s: Floats) -> Floats:
    """The rates each job needs so that all have the least ratio possible.

    From rates that are feasible together: the ratio they give, the rates that this ratio needs, those raised alike
    as far as the fleet allows, which give a lower ratio. A ratio above the least one always leaves room to raise.
    """
    rates = np.full(len(gains), _most_alike(demand, gains, np.ones(len(gains))))
    ratio = float(((elapsed_s + work_s / rates) / due_s).max())
    for _ in range(_TRIES):
        needs = work_s / (ratio * due_s - elapsed_s)
        rates = needs * _most_alike(demand, gains, needs)
        lower = float(((elapsed_s + work_s / rates) / due_s).max())
        if lower >= ratio * (1 - _CLOSE):
            break
        ratio = lower
    return rates


def _most_alike(demand: Demand, gains: Floats, needs: Floats) -> float:
    """The greatest factor by which the fleet can serve all the needs at once."""
    jobs, types = gains.shape
    program = _fleet(demand, gains, columns=jobs * types + 1)
    program.add(per_job(gains / needs[:, None]).plus(jobs * types, np.full(jobs, -1.0)), low=np.zeros(jobs))
    gain = np.zeros(jobs * types + 1)
    gain[-1] = 1.0
    return float(program.solve(gain).x[-1])


def _fastest(demand: Demand, gains: Floats, needs: Floats) -> Floats:
    """The shares of greatest total rate among those that serve all the needs."""
    program = _fleet(demand, gains, columns=gains.size)
    program.add(per_job(gains), low=needs * (1 - _SLACK))
    return program.solve(gains.ravel()).x.reshape(gains.shape)


def _fleet(demand: Demand, gains: Floats, *, columns: int) -> Program:
    program = Program(columns=columns)
    program.add(per_job(np.ones(gains.shape)), high=np.ones(len(gains)))
    program.add(
        per_type(np.where(gains > 0, demand.gangs[:, None], 0).astype(np.float64)),
        high=demand.capacities.astype(np.float64),
    )
    return program
