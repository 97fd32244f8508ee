"""Levelling: raise the least of the jobs' rates, then the least of those that can still rise, and so on."""

from __future__ import annotations

import numpy as np

from petahour.scheduler.shares.linear import Floats, Ints, Program, per_job, per_type

# Relative. What was reached is asked for again less this, more than the solver's own tolerance of 1e-7.
_SLACK = 1e-6
_PRICED = 1e-7  # a price above this says that the job holds the level down; the prices of a level sum to 1


def level(gains: Floats, gangs: Ints, capacities: Ints, *, counts: Ints) -> Floats:
    """Shares ``x[job, type]`` of time whose rates ``(gains * x).sum(axis=1)`` are lexicographically max-min.

    Each row stands for ``counts`` equal jobs, and every one of them gets ``x``. A row without any gain gets nothing.
    The rates are unique, whatever the solver; the shares that reach them need not be.
    """
    x = np.zeros(gains.shape)
    rows = np.flatnonzero(gains.max(axis=1, initial=0.0) > 0)
    if len(rows):
        x[rows] = _level(gains[rows], (gangs * counts)[rows], capacities)
    x[gains <= 0] = 0.0
    return np.clip(x, 0.0, 1.0)


def _level(gains: Floats, taken: Ints, capacities: Ints) -> Floats:
    jobs, types = gains.shape
    height = jobs * types  # the column of the level itself
    rates, scale = per_job(gains), float(gains.max())
    aim = np.zeros(height + 1)
    aim[height] = 1.0
    reached, rising = np.zeros(jobs), np.ones(jobs, dtype=bool)
    while True:
        program = Program(columns=height + 1)
        program.add(per_job(np.ones(gains.shape)), high=np.ones(jobs))
        program.add(
            per_type(np.repeat(taken[:, None].astype(np.float64), types, axis=1)), high=capacities.astype(np.float64)
        )
        program.add(rates, low=reached * (1 - _SLACK))
        lifted = program.add(rates.plus(height, np.where(rising, -scale, 0.0)), low=np.zeros(jobs))
        answer = program.solve(aim)
        # A row with a price stands at the level in every best answer: it can rise no further.
        held = rising & (np.abs(answer.prices[lifted]) * scale > _PRICED)
        reached[rising] = answer.x[height] * scale
        rising &= ~held
        if not rising.any() or not held.any():
            return answer.x[:height].reshape(jobs, types)
