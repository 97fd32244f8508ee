"""Levels: how much is held over time, from the starts and ends of runs. All sums are exact, nothing is sampled."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from petahour.simulator.result import Result


def mean_levels(
    row: NDArray[np.int64],
    start_ms: NDArray[np.int64],
    end_ms: NDArray[np.int64],
    height: NDArray[np.int64],
    *,
    rows: int,
    edges_ms: NDArray[np.float64],
) -> NDArray[np.float64]:
    """The mean height held by each row in each bin, as an array (rows, bins).

    ``edges_ms`` are evenly spaced. Each start and end changes its own bin by the rest of that bin, and every
    later bin by a whole one: the cost is that of the events and cells together.
    """
    bins = len(edges_ms) - 1
    width_ms = (edges_ms[-1] - edges_ms[0]) / bins
    at_ms = np.clip(np.concatenate([start_ms, end_ms]).astype(np.float64), edges_ms[0], edges_ms[-1])
    change = np.concatenate([height, -height]).astype(np.float64)
    place = np.minimum(((at_ms - edges_ms[0]) / width_ms).astype(np.int64), bins - 1)
    cell = np.concatenate([row, row]) * bins + place
    rest = np.bincount(cell, change * (edges_ms[place + 1] - at_ms), minlength=rows * bins).reshape(rows, bins)
    steps = np.bincount(cell, change, minlength=rows * bins).reshape(rows, bins)
    carried = np.cumsum(steps, axis=1) - steps
    return np.asarray(np.maximum(carried + rest / width_ms, 0.0), np.float64)


def capacity_levels(capacity: Sequence[tuple[int, int]], edges_ms: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean number of accelerators in service in each bin."""
    start_ms, end_ms, height = _pieces(capacity, int(edges_ms[0]), int(np.ceil(edges_ms[-1])))
    levels = mean_levels(np.zeros_like(start_ms), start_ms, end_ms, height, rows=1, edges_ms=edges_ms)
    return levels.ravel()


def capacity_time_ms(capacity: Sequence[tuple[int, int]], from_ms: int, to_ms: int) -> int:
    """Accelerator-milliseconds in service from an instant to another."""
    start_ms, end_ms, height = _pieces(capacity, from_ms, to_ms)
    return int(((end_ms - start_ms) * height).sum())


def busy_time_ms(result: Result) -> int:
    """Accelerator-milliseconds held by runs, restarts and lost work included."""
    runs = result.runs
    return int(((runs.end_ms - runs.start_ms) * runs.accelerators.astype(np.int64)).sum())


def stranded_time_ms(result: Result) -> int:
    """Accelerator-milliseconds free on nodes that something else holds in part.

    Node after node, the held accelerators are summed from event to event. Every run ends, so each node's sum
    comes back to 0 and one running sum serves all of them.
    """
    placements, runs = result.placements, result.runs
    node = np.tile(placements.node.astype(np.int64), 2)
    at_ms = np.concatenate([runs.start_ms[placements.run], runs.end_ms[placements.run]])
    count = placements.accelerators.astype(np.int64)
    order = np.lexsort((at_ms, node))
    node, at_ms = node[order], at_ms[order]
    held = np.cumsum(np.concatenate([count, -count])[order])[:-1]
    span_ms = np.where(node[1:] == node[:-1], np.diff(at_ms), 0)
    size = np.array([item.accelerators for item in result.nodes], np.int64)[node[:-1]]
    return int(((size - held) * span_ms)[(held > 0) & (held < size)].sum())


def _pieces(
    capacity: Sequence[tuple[int, int]], from_ms: int, to_ms: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """The steps of the capacity as pieces between two instants; the first step reaches back to the beginning."""
    steps = np.array(capacity, np.int64).reshape(-1, 2)
    start_ms = np.clip(np.concatenate([[from_ms], steps[1:, 0]]), from_ms, to_ms)[: len(steps)]
    end_ms = np.append(start_ms[1:], to_ms)[: len(steps)]
    return start_ms, end_ms, steps[:, 1]
