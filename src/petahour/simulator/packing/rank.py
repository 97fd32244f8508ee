"""Where an arriving pod goes: the node, and for a part of an accelerator the slot, with the highest score.

A score looks at one shape on nodes that could take it and returns, per node, a figure (higher is better) and the
slot it stands for. `Ranking` keeps the scores of each shape and asks only for those of nodes that changed since
the shape last arrived, so that an arrival costs what changed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from petahour.simulator.packing.cluster import Cluster, allowed_nodes
from petahour.simulator.packing.fragment import Floats, Ints, Measure, expected, typical
from petahour.simulator.packing.pods import WHOLE_MILLI, Pods, Shape

Score = Callable[[Shape, Ints], tuple[Floats, Ints]]
Maker = Callable[[Cluster, Pods, int], Score]

REACH = 2.0  # measured on the openb workloads: 1.5 to 3 differ by less than 0.1 % of the accelerators
TIE = 1e-6  # of a thousandth of an accelerator: splits equals, outweighs no difference in fragmentation


class Ranking:
    """Keeps the score of every (shape, node) up to date as the cluster changes."""

    def __init__(self, cluster: Cluster, shapes: Sequence[Shape], score: Score) -> None:
        self._cluster = cluster
        self._shapes = shapes
        self._score = score
        self._allowed = [allowed_nodes(cluster.nodes, shape) for shape in shapes]
        self._kept = np.full((len(shapes), len(cluster.nodes.names)), -np.inf)
        self._slot = np.zeros(self._kept.shape, dtype=np.int64)
        self._seen: list[int | None] = [None] * len(shapes)

    def choose(self, index: int) -> tuple[int, int] | None:
        """The node and slot for a pod of the shape with this index; None when no node could take it now."""
        self._refresh(index)
        node = int(self._kept[index].argmax())
        if self._kept[index, node] == -np.inf:
            return None
        return node, int(self._slot[index, node])

    def _refresh(self, index: int) -> None:
        seen, changed = self._seen[index], self._cluster.changed
        self._seen[index] = len(changed)
        stale = self._allowed[index]
        if seen is not None:
            if seen == len(changed):
                return
            stale = np.zeros_like(stale)
            stale[changed[seen:]] = True
            stale &= self._allowed[index]
        nodes = np.flatnonzero(stale)
        self._kept[index, nodes] = -np.inf
        nodes = nodes[self._cluster.fits(self._shapes[index], nodes)]
        if len(nodes):
            self._kept[index, nodes], self._slot[index, nodes] = self._score(self._shapes[index], nodes)


def petahour(cluster: Cluster, pods: Pods, seed: int) -> Score:
    """Least growth of fragmentation over all shapes, scarce models weighed up and hosts bounding what is usable.

    Of equals, the fullest node. ``seed`` is not used: nothing here is drawn.
    """
    measure = Measure(expected(pods, cluster.nodes), cluster.nodes.models, reach=REACH)

    def score(shape: Shape, nodes: Ints) -> tuple[Floats, Ints]:
        change, slot = _gradient(cluster, measure, shape, nodes)
        return change - TIE * _free_share(cluster, nodes), slot

    return score


def fgd(cluster: Cluster, pods: Pods, seed: int) -> Score:
    """Fragmentation Gradient Descent as published: typical pods, scores in whole percent of a sigmoid.

    Of equals, the first in an order of the nodes drawn by ``seed``; the simulator behind the published figures
    renames its nodes at random and prefers the first name.
    """
    measure = Measure(typical(pods), cluster.nodes.models)
    order = np.random.default_rng(seed).permutation(len(cluster.nodes.names)) / len(cluster.nodes.names)

    def score(shape: Shape, nodes: Ints) -> tuple[Floats, Ints]:
        change, slot = _gradient(cluster, measure, shape, nodes)
        lost = (shape.demand_milli + change) / WHOLE_MILLI  # the fall of F: what is taken was free before
        return np.floor(100 / (1 + np.exp(-lost))) - order[nodes], slot

    return score


def best_fit(cluster: Cluster, pods: Pods, seed: int) -> Score:
    """The node with the least left, CPU and accelerators alike, and on it the slot with the least left."""

    def score(shape: Shape, nodes: Ints) -> tuple[Floats, Ints]:
        left = cluster.gpu_left[nodes]
        slot = np.where(left >= max(shape.gpu_milli, 1), left, WHOLE_MILLI + 1).argmin(axis=1)
        return -_free_share(cluster, nodes), slot

    return score


RANKINGS: Mapping[str, Maker] = {"petahour": petahour, "fgd": fgd, "best-fit": best_fit}


def _gradient(cluster: Cluster, measure: Measure, shape: Shape, nodes: Ints) -> tuple[Floats, Ints]:
    """By how much what is usable changes with the pod on each node, at the slot where it falls least."""
    left = cluster.gpu_left[nodes]
    model, cpu, memory = cluster.nodes.model[nodes], cluster.cpu_left[nodes], cluster.memory_left[nodes]
    before = measure.usable(measure.hosts(model, cpu, memory), left)
    hosts = measure.hosts(model, cpu - shape.cpu_milli, memory - shape.memory_mib)
    if not shape.gpus or shape.gpu_milli == WHOLE_MILLI:
        free = left == WHOLE_MILLI
        taken = free & (np.cumsum(free, axis=1) <= shape.gpus)
        return measure.usable(hosts, np.where(taken, 0, left)) - before, np.zeros(len(nodes), dtype=np.int64)
    row, slot = np.nonzero(_distinct(left) & (left >= shape.gpu_milli))
    after = np.full(left.shape, -np.inf)
    after[row, slot] = measure.usable_after(hosts[row], left[row], slot, shape.gpu_milli)
    best = after.argmax(axis=1)
    return after[np.arange(len(nodes)), best] - before, best


def _distinct(left: Ints) -> NDArray[np.bool_]:
    """The first slot of each amount on each node: slots with as much left are as good as it."""
    same = left[:, :, None] == left[:, None, :]
    return np.asarray(same.argmax(axis=2) == np.arange(left.shape[1]), dtype=np.bool_)


def _free_share(cluster: Cluster, nodes: Ints) -> Floats:
    """Free accelerators and CPU of nodes, each as a share of the largest node's; from 0 to 2."""
    whole = cluster.nodes
    gpus = cluster.gpu_left[nodes].sum(axis=1) / (int(whole.gpus.max()) * WHOLE_MILLI)
    cpu = cluster.cpu_left[nodes] / max(int(whole.cpu_milli.max()), 1)
    return np.asarray(gpus + cpu, dtype=np.float64)
