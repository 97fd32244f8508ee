"""Seeded arrivals, until the demand that arrived is a given share of the cluster's accelerators.

As the Fragmentation Gradient Descent paper (Weng et al., USENIX ATC 2023) inflates a trace: first its own pods in
random order, then pods drawn from it at random with replacement.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from petahour.model.errors import ValidationError
from petahour.simulator.packing.pods import Pods


def arrivals(pods: Pods, *, capacity_milli: int, load: float, seed: int) -> NDArray[np.int64]:
    """The shapes that arrive, in order: the last of them is the first with which demand reaches ``load``.

    ``load`` is a share of ``capacity_milli`` (1.3 is 130 %). Raises ValidationError for a load that is not
    positive and for a workload without any accelerator demand, which would never reach it.
    """
    if not 0 < load < float("inf"):
        raise ValidationError(field="load", value=load, rule="load is positive", remedy="Give for example 1.3.")
    demand = np.array([shape.demand_milli for shape in pods.shapes], dtype=np.int64)
    if not demand[pods.shape].any():
        raise ValidationError(
            field="pods", value=None, rule="no pod asks for an accelerator", remedy="Give a workload that does."
        )
    random = np.random.default_rng(seed)
    order = random.permutation(pods.shape)
    while demand[order].sum() < load * capacity_milli:
        order = np.concatenate((order, random.choice(pods.shape, size=len(pods.shape))))
    reached = int(np.searchsorted(np.cumsum(demand[order]), load * capacity_milli)) + 1
    return order[:reached]
