"""Draws: numbers that are the same for a seed on every machine, and shares that come out as asked.

Everything comes from the bits of PCG64, which NumPy promises to keep, and nothing from its distributions, which it
does not. What a logarithm or a power may round differently elsewhere is rounded to whole units before it is summed.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

_DOUBLE_BITS = 53


class Source:
    """Streams of random numbers, one per purpose: a change in one leaves the others as they are."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._streams: dict[str, np.random.PCG64] = {}

    def uniform(self, purpose: str, count: int) -> Floats:
        """``count`` numbers from 0 up to, not including, 1."""
        if purpose not in self._streams:
            key = tuple(purpose.encode())
            self._streams[purpose] = np.random.PCG64(np.random.SeedSequence(self._seed, spawn_key=key))
        bits = self._streams[purpose].random_raw(count) >> np.uint64(64 - _DOUBLE_BITS)
        return bits.astype(np.float64) * 2.0**-_DOUBLE_BITS

    def bell(self, purpose: str, count: int) -> Floats:
        """Bell-shaped numbers with mean 0 and variance 1, from -3 to 3: the sum of three uniform ones."""
        total = self.uniform(purpose, count) + self.uniform(purpose, count) + self.uniform(purpose, count)
        return (total - 1.5) * 2.0

    def shuffled(self, purpose: str, count: int) -> Ints:
        """The numbers below ``count`` in random order."""
        return np.argsort(self.uniform(purpose, count), kind="stable").astype(np.int64)


def apportion(total: int, weights: Floats, least: int = 0) -> Ints:
    """Whole numbers that sum to ``total`` in proportion to the weights, each at least ``least``.

    By largest remainder, the first first.
    """
    free = total - least * len(weights)
    exact = weights / weights.sum() * free
    whole: Ints = np.floor(exact).astype(np.int64)
    order = np.argsort(whole - exact, kind="stable")
    whole[order[: free - int(whole.sum())]] += 1
    return whole + least


def laid(group: Ints, key: Floats, weight: Floats) -> tuple[Floats, Floats]:
    """Each item's stretch of its group's unit interval: where it begins and how long it is.

    The items of a group lie side by side in the order of ``key``, as long as they weigh, so that whatever is read
    off at their places has the group's distribution by weight, with no luck in it.
    """
    order = np.lexsort((key, group))
    groups, weights = group[order], weight[order]
    first = np.flatnonzero(np.r_[True, groups[1:] != groups[:-1]])
    sums = np.add.reduceat(weights, first)
    member = np.repeat(np.arange(len(first)), np.diff(np.r_[first, len(groups)]))
    before = np.cumsum(weights) - weights
    begin, length = np.empty(len(group)), np.empty(len(group))
    begin[order] = (before - before[first][member]) / sums[member]
    length[order] = weights / sums[member]
    return begin, length


def chosen(share: Floats, key: Floats, weight: Floats) -> Flags:
    """Which items are chosen so that, by weight, the wanted share of them is, with an error of about one item.

    Walks the items in the order of ``key`` and chooses whenever enough is owed.
    """
    taken = np.zeros(len(share), np.bool_)
    owed = 0.0
    for item in np.argsort(key, kind="stable").tolist():
        owed += float(share[item] * weight[item])
        if owed > weight[item] / 2 and share[item] > 0:
            taken[item] = True
            owed -= float(weight[item])
    return taken


def pick(shares: Floats, at: Floats) -> Ints:
    """The number of the share that covers each place of the unit interval."""
    edges = np.cumsum(shares / shares.sum())[:-1]
    return np.searchsorted(edges, at, side="right").astype(np.int64)
