"""The cluster's free resources as arrays over its nodes, and the one change they know: a pod is placed.

Every change is logged by node, so that whoever keeps figures per node recomputes those that changed alone.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from petahour.model.errors import InvariantError
from petahour.simulator.packing.pods import WHOLE_MILLI, Nodes, Shape


class Cluster:
    """What is free on each node. ``gpu_left[n, j]`` is thousandths of accelerator ``j``, 0 where there is none."""

    def __init__(self, nodes: Nodes) -> None:
        self.nodes = nodes
        self.cpu_left = nodes.cpu_milli.copy()
        self.memory_left = nodes.memory_mib.copy()
        slots = np.arange(int(nodes.gpus.max()))
        self.gpu_left: NDArray[np.int64] = np.where(slots < nodes.gpus[:, None], WHOLE_MILLI, 0).astype(np.int64)
        self.allocated_milli = 0
        self.changed: list[int] = []

    def fits(self, shape: Shape, nodes: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which of ``nodes`` have what a pod of this shape asks for now, their model apart."""
        able = (self.cpu_left[nodes] >= shape.cpu_milli) & (self.memory_left[nodes] >= shape.memory_mib)
        if shape.gpus:
            able &= np.count_nonzero(self.gpu_left[nodes] >= shape.gpu_milli, axis=1) >= shape.gpus
        return np.asarray(able, dtype=np.bool_)

    def place(self, shape: Shape, node: int, slot: int) -> tuple[int, ...]:
        """Take the pod's resources of the node; returns the accelerators it lies on.

        A part of an accelerator is taken from ``slot``; whole ones are the first free of the node. Raises
        InvariantError when the node has not what the pod asks for.
        """
        if shape.gpus == 1 and shape.gpu_milli < WHOLE_MILLI:
            slots = [slot]
        else:
            slots = np.flatnonzero(self.gpu_left[node] == WHOLE_MILLI)[: shape.gpus].tolist()
        left = self.gpu_left[node, slots] - shape.gpu_milli
        cpu, memory = int(self.cpu_left[node]) - shape.cpu_milli, int(self.memory_left[node]) - shape.memory_mib
        if len(slots) < shape.gpus or min(cpu, memory, *left.tolist()) < 0:
            raise InvariantError(rule="a pod is placed where it fits", value=(self.nodes.names[node], shape))
        self.cpu_left[node], self.memory_left[node] = cpu, memory
        if shape.gpus:
            self.gpu_left[node, slots] = left
        self.allocated_milli += shape.demand_milli
        self.changed.append(node)
        return tuple(slots) if shape.gpus else ()


def allowed_nodes(nodes: Nodes, shape: Shape) -> NDArray[np.bool_]:
    """The nodes whose model the shape accepts, whatever is free there."""
    if not shape.models:
        return np.ones(len(nodes.names), dtype=np.bool_)
    accepted = np.array([model in shape.models for model in nodes.models], dtype=np.bool_)
    return np.asarray(accepted[nodes.model], dtype=np.bool_)
