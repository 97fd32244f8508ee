"""Demands for tests: a few jobs on a few types, each able to run somewhere."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from petahour.scheduler.shares.demand import Demand


def demand(speeds: list[list[float]], gangs: list[int], capacities: list[int]) -> Demand:
    return Demand(
        speeds=np.array(speeds, dtype=np.float64).reshape(len(gangs), len(capacities)),
        gangs=np.array(gangs, dtype=np.int64),
        capacities=np.array(capacities, dtype=np.int64),
    )


@st.composite
def demands(draw: st.DrawFn, *, jobs: int = 12, types: int = 3, everywhere: bool = False) -> Demand:
    """Speeds differ by up to 20 times; some jobs cannot run on some types unless ``everywhere``."""
    many, kinds = draw(st.integers(1, jobs)), draw(st.integers(1, types))
    speed = st.integers(1, 20).map(float)
    if not everywhere:
        speed = st.one_of(st.just(0.0), speed)
    speeds = draw(st.lists(st.lists(speed, min_size=kinds, max_size=kinds), min_size=many, max_size=many))
    gangs = draw(st.lists(st.sampled_from([1, 1, 2, 4]), min_size=many, max_size=many))
    capacities = draw(st.lists(st.integers(4 if everywhere else 0, 9), min_size=kinds, max_size=kinds))
    return demand(speeds, gangs, capacities)
