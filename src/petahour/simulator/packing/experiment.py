"""The packing experiment: pods arrive one by one, each is placed at once or lost, none ever ends.

What counts is how much of the cluster's accelerators is allocated when so much demand has arrived. The published
figures are read where the demand that arrived equals the capacity.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from petahour.model.errors import ValidationError
from petahour.simulator.packing.arrive import arrivals
from petahour.simulator.packing.cluster import Cluster
from petahour.simulator.packing.pods import Nodes, Pods
from petahour.simulator.packing.rank import RANKINGS, Ranking

LOST = -1  # the node of a pod that no node could take
NEAR = 0.005  # a figure "at 100 %" is the mean over arrivals from 99.5 % to 100.5 %, as the published ones are


@dataclass(frozen=True, kw_only=True, slots=True)
class Packed:
    """One run, an entry per arrival in order: its shape, its node (``LOST`` if none took it), its accelerators.

    ``arrived_milli`` and ``allocated_milli`` are thousandths of an accelerator in all, the arrival included.
    """

    ranking: str
    seed: int
    capacity_milli: int
    shape: NDArray[np.int64]
    node: NDArray[np.int64]
    slots: Sequence[tuple[int, ...]]
    arrived_milli: NDArray[np.int64]
    allocated_milli: NDArray[np.int64]

    @property
    def final_share(self) -> float:
        """The share of the cluster's accelerators that is allocated after the last arrival."""
        return float(self.allocated_milli[-1]) / self.capacity_milli

    def share_at(self, load: float = 1.0) -> float:
        """The allocated share when the demand that arrived is ``load`` times the capacity.

        The mean over the arrivals within ``NEAR`` of it. Raises ValidationError where the run has none.
        """
        near = np.abs(self.arrived_milli / self.capacity_milli - load) <= NEAR
        if not near.any():
            raise ValidationError(
                field="load", value=load, rule="some arrival is near that load", remedy="Let the run reach it."
            )
        return float(self.allocated_milli[near].mean()) / self.capacity_milli


def pack(nodes: Nodes, pods: Pods, *, ranking: str = "petahour", seed: int = 42, load: float = 1.3) -> Packed:
    """Let pods arrive on an empty cluster until their demand reaches ``load`` times its accelerators.

    ``ranking`` is one of ``RANKINGS``; ``seed`` draws the arrivals. The ranking knows the workload's popular shapes
    but not which pod comes next. Raises ValidationError for an unknown ranking, a load that is not positive or a
    workload that asks for no accelerators.
    """
    if ranking not in RANKINGS:
        raise ValidationError(
            field="ranking", value=ranking, rule="a known ranking", remedy=f"Choose one of {', '.join(RANKINGS)}."
        )
    order = arrivals(pods, capacity_milli=nodes.capacity_milli, load=load, seed=seed)
    cluster = Cluster(nodes)
    choices = Ranking(cluster, pods.shapes, RANKINGS[ranking](cluster, pods, seed))
    node = np.full(len(order), LOST, dtype=np.int64)
    allocated = np.zeros(len(order), dtype=np.int64)
    slots: list[tuple[int, ...]] = []
    for i, index in enumerate(order.tolist()):
        choice = choices.choose(index)
        slots.append(() if choice is None else cluster.place(pods.shapes[index], *choice))
        node[i] = LOST if choice is None else choice[0]
        allocated[i] = cluster.allocated_milli
    demand = np.array([shape.demand_milli for shape in pods.shapes], dtype=np.int64)
    return Packed(
        ranking=ranking,
        seed=seed,
        capacity_milli=nodes.capacity_milli,
        shape=order,
        node=node,
        slots=tuple(slots),
        arrived_milli=np.cumsum(demand[order]),
        allocated_milli=allocated,
    )
