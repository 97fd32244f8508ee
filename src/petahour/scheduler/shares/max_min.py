"""Max-min: the job worst off, by its speed against an equal share of the fleet, is as well off as can be."""

from __future__ import annotations

import numpy as np

from petahour.scheduler.shares.demand import Demand
from petahour.scheduler.shares.level import level
from petahour.scheduler.shares.linear import Floats


def equal_speeds(demand: Demand) -> Floats:
    """Each job's speed when its time is split over the types by their sizes: what its speeds are measured by."""
    total = float(demand.capacities.sum())
    split = demand.capacities / total if total else np.zeros(len(demand.capacities))
    return demand.usable @ split


def max_min(demand: Demand, *, weights: Floats | None = None) -> Floats:
    """Shares of time ``x[job, type]``, in 0..1, of the heterogeneity-aware max-min policy.

    The rate of a job is ``gang x speed under x / equal_speeds / weight``: a gang of four is due a quarter of the
    time that a single accelerator's job is due. Source: Narayanan et al., "Heterogeneity-Aware Cluster Scheduling
    Policies for Deep Learning Workloads", OSDI 2020, section 4.1. Theirs stops at the least rate; here what is
    left over raises the next least, so that the rates do not depend on the solver. A job that can run nowhere
    gets nothing. Equal jobs count once, so the cost grows with kinds of jobs, not with jobs.
    """
    jobs, types = demand.speeds.shape
    if jobs == 0:
        return np.zeros((0, types))
    even = equal_speeds(demand)
    weighed = even * (np.ones(jobs) if weights is None else weights)
    gains = np.divide(
        demand.usable * demand.gangs[:, None],
        weighed[:, None],
        out=np.zeros((jobs, types)),
        where=weighed[:, None] > 0,
    )
    kinds, kind_of, counts = np.unique(
        np.column_stack((gains, demand.gangs)), axis=0, return_inverse=True, return_counts=True
    )
    gangs = kinds[:, -1].astype(np.int64)
    shares = level(kinds[:, :-1], gangs, demand.capacities, counts=counts)
    return shares[kind_of.reshape(-1)]
