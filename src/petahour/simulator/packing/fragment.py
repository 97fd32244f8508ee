"""How much of a node's free accelerators the expected pods could use: the measure behind the packing rankings.

Weng et al. (*Beware of Fragmentation*, USENIX ATC 2023) call the part of a node's free accelerators that a pod
cannot use its fragment, and the expectation of it over the workload's shapes the node's fragmentation,
F = sum of p_t x fragment_t. What is free is either usable or fragment, so F = free - sum of p_t x usable_t, and
`Measure` computes the second term.

Their measure takes all accelerators that are free enough for usable as soon as the host can take one pod. With a
`reach` the host's free CPU and memory bound it too: eight free accelerators beside the CPU for one pod are no
longer eight usable ones. A reach of 1 counts what the host serves if only pods of that shape follow; lighter ones
come between them, so more is within reach than that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from petahour.model.errors import ValidationError
from petahour.simulator.packing.cluster import allowed_nodes
from petahour.simulator.packing.pods import WHOLE_MILLI, Nodes, Pods, Shape

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

TYPICAL_SHARE = 0.95  # of the pods: the shapes that FGD takes for typical


@dataclass(frozen=True, kw_only=True, slots=True)
class Expected:
    """The shapes that may arrive, each of which wants accelerators, and how much each of them counts."""

    shapes: Sequence[Shape]
    weights: Floats


def expected(pods: Pods, nodes: Nodes) -> Expected:
    """Every shape by its popularity times the scarcity of the models that it accepts.

    Scarcity is the cluster's accelerators over those of accepted models. It makes a place on a model that some
    pods depend on dear, so that pods which may lie anywhere leave it to them. Weights add up to 1.
    Raises ValidationError when no shape could ever lie on the cluster.
    """
    total = int(nodes.gpus.sum())
    serving = np.array([int(nodes.gpus[allowed_nodes(nodes, shape)].sum()) for shape in pods.shapes])
    wanting = np.array([shape.gpus > 0 for shape in pods.shapes])
    weights = np.where(wanting & (serving > 0), pods.popularity() * total / np.maximum(serving, 1), 0.0)
    chosen = [t for t, weight in enumerate(weights.tolist()) if weight > 0]
    if not chosen:
        raise ValidationError(
            field="pods",
            value=None,
            rule="some pod asks for accelerators that a node has",
            remedy="Check the models.",
        )
    return Expected(shapes=tuple(pods.shapes[t] for t in chosen), weights=weights[chosen] / weights.sum())


def typical(pods: Pods, share: float = TYPICAL_SHARE) -> Expected:
    """FGD's typical pods: the most popular shapes that make up ``share`` of all pods, whatever memory they want.

    Pods without accelerators count in the shares but can use none, so the weights add up to 1 less theirs.
    """
    merged: dict[Shape, float] = {}
    for shape, popularity in zip(pods.shapes, pods.popularity().tolist(), strict=True):
        bare = replace(shape, memory_mib=0)
        merged[bare] = merged.get(bare, 0.0) + popularity
    ranked = sorted(merged.items(), key=lambda item: -item[1])
    reached = np.cumsum([popularity for _, popularity in ranked])
    kept = ranked[: int(np.searchsorted(reached, share)) + 1]
    covered = sum(popularity for _, popularity in kept)
    wanting = [(shape, popularity / covered) for shape, popularity in kept if shape.gpus]
    weights = np.array([weight for _, weight in wanting], dtype=np.float64)
    return Expected(shapes=tuple(shape for shape, _ in wanting), weights=weights)


class Measure:
    """The usable accelerators of nodes, in thousandths, weighted over the expected shapes."""

    def __init__(self, pods: Expected, models: Sequence[str], *, reach: float | None = None) -> None:
        shapes = pods.shapes
        classes = sorted({(shape.gpu_milli, shape.gpus) for shape in shapes})
        left = np.arange(WHOLE_MILLI + 1)[:, None]
        self._weights = pods.weights
        self._reach = reach
        self._class = np.array([classes.index((shape.gpu_milli, shape.gpus)) for shape in shapes], dtype=np.int64)
        self._gpus = np.array([gpus for _, gpus in classes], dtype=np.int32)
        # By free thousandths and class: whether one accelerator suffices, and what of it is then usable.
        self._enough = (left >= np.array([milli for milli, _ in classes], dtype=np.int64)).astype(np.int32)
        self._part = self._enough * left.astype(np.int32)
        self._cpu = np.array([shape.cpu_milli for shape in shapes], dtype=np.int64)
        self._memory = np.array([shape.memory_mib for shape in shapes], dtype=np.int64)
        self._demand = np.array([shape.demand_milli for shape in shapes], dtype=np.float64)
        accepts = [[not shape.models or model in shape.models for shape in shapes] for model in models]
        self._accepts = np.array(accepts, dtype=np.bool_).reshape(len(models), len(shapes))

    def hosts(self, model: Ints, cpu_left: Ints, memory_left: Ints) -> Floats:
        """Thousandths of an accelerator that hosts can serve, (host, expected shape): 0 where not even one pod."""
        able = self._accepts[model]
        able &= (cpu_left[:, None] >= self._cpu) & (memory_left[:, None] >= self._memory)
        if self._reach is None:
            return np.where(able, np.inf, 0.0)
        pods = np.minimum(_ratio(cpu_left, self._cpu), _ratio(memory_left, self._memory))
        return np.where(able, self._reach * self._demand * pods, 0.0)

    def usable(self, hosts: Floats, gpu_left: Ints) -> Floats:
        """What is usable of hosts (as `hosts` gives them) with these free accelerators, (host, slot)."""
        return self._worth(hosts, self._part[gpu_left].sum(axis=1), self._enough[gpu_left].sum(axis=1))

    def usable_after(self, hosts: Floats, gpu_left: Ints, slot: Ints, milli: int) -> Floats:
        """What is usable after ``milli`` thousandths were taken of one ``slot`` per host."""
        before = gpu_left[np.arange(len(slot)), slot]
        part = self._part[gpu_left].sum(axis=1) - self._part[before] + self._part[before - milli]
        enough = self._enough[gpu_left].sum(axis=1) - self._enough[before] + self._enough[before - milli]
        return self._worth(hosts, part, enough)

    def _worth(self, hosts: Floats, part: NDArray[np.int32], enough: NDArray[np.int32]) -> Floats:
        fitting = np.where(enough >= self._gpus, part, 0)[:, self._class]
        return np.asarray(np.minimum(fitting, hosts) @ self._weights, dtype=np.float64)


def _ratio(left: Ints, wanted: Ints) -> Floats:
    """How many pods the free amounts (host) serve of each wanted amount (shape); infinitely many that want none."""
    without = np.full((len(left), len(wanted)), np.inf)
    np.divide(left[:, None], wanted, out=without, where=wanted > 0)
    return without
