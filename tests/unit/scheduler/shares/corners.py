"""An independent solver for tiny linear programs: every corner of the feasible region is tried."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def best_corner(gain: Floats, rows: Floats, high: Floats) -> float:
    """The greatest ``gain . x`` over ``rows . x <= high`` and ``x >= 0``, whose region has a corner."""
    columns = len(gain)
    every = np.vstack((rows, -np.eye(columns)))
    bounds = np.concatenate((high, np.zeros(columns)))
    picks = np.array(list(combinations(range(len(every)), columns)))
    squares = every[picks]
    solvable = np.abs(np.linalg.det(squares)) > 1e-12
    corners = np.linalg.solve(squares[solvable], bounds[picks[solvable]][:, :, None])[:, :, 0]
    feasible = (corners @ every.T <= bounds + 1e-7).all(axis=1)
    return float((corners[feasible] @ gain).max())


def fleet_rows(gangs: Floats, capacities: Floats, extra: int) -> tuple[Floats, Floats]:
    """A job's shares sum to at most 1, a type's accelerators to its capacity; with so many columns of 0 after."""
    jobs, types = len(gangs), len(capacities)
    rows = np.zeros((jobs + types, jobs * types + extra))
    for job in range(jobs):
        for number in range(types):
            rows[job, job * types + number] = 1
            rows[jobs + number, job * types + number] = gangs[job]
    return rows, np.concatenate((np.ones(jobs), capacities))


def most_alike(gains: Floats, gangs: Floats, capacities: Floats) -> float:
    """The greatest rate that all jobs can have at once, by trying corners."""
    jobs, types = gains.shape
    rows, high = fleet_rows(gangs, capacities, 1)
    lifted = np.zeros((jobs, jobs * types + 1))
    for job in range(jobs):
        lifted[job, job * types : (job + 1) * types] = -gains[job]
        lifted[job, -1] = 1
    gain = np.zeros(jobs * types + 1)
    gain[-1] = 1
    return best_corner(gain, np.vstack((rows, lifted)), np.concatenate((high, np.zeros(jobs))))
