"""The veil: what a job may not use, out of sight while it is looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from petahour.model.jobs import Tier
from petahour.model.promises import Maintenance, Reservation
from petahour.scheduler.ask import Grant, Running, Waiting
from petahour.scheduler.promises import may_use
from petahour.scheduler.room import Pool
from petahour.scheduler.state import State


class _Cover(NamedTuple):
    """What of a pool is hidden: nodes as a bit set, and accelerators of other nodes."""

    nodes: int
    parts: dict[int, int]


Key = tuple[str, tuple[int, ...]]  # whose seats alone are to be seen, and which promises are hidden


class Veil:
    """Hides what is promised from whom it is not promised to, in one pass. Without promises there is none.

    What a job takes while the veil is over it stays taken when that is lifted.
    """

    def __init__(self, state: State, now_ms: int) -> None:
        self._state, self._now_ms = state, now_ms
        self._promises = state.promises.ahead(now_ms)
        self._known: dict[Key, dict[int, _Cover]] = {}
        self._worn: Key = ("", ())
        self._taken: list[tuple[Pool, tuple[Grant, ...]]] = []

    def over(self, job: Waiting) -> None:
        """Hide what the job may not use."""
        self._wear(("", self.hidden(job)))

    def seated(self, job: Waiting) -> list[str]:
        """Of the job's types those of which its tenant has seats now, for its reserved work."""
        if job.ask.tier is not Tier.RESERVED:
            return []
        own = {one.type for one in self._own(job.ask.tenant)}
        return [name for name in job.ask.types if name in own]

    def seats(self, job: Waiting) -> None:
        """Hide all but the seats of the job's tenant."""
        hidden = tuple(
            number
            for number, promise in enumerate(self._promises)
            if isinstance(promise, Maintenance) and not may_use(job, promise, self._now_ms)
        )
        self._wear((job.ask.tenant, hidden))

    def lift(self) -> None:
        """Hide nothing."""
        self._wear(("", ()))

    def names(self, tenant: str, pool: Pool, grants: Iterable[Grant]) -> str:
        """The tenant's reservations on whose seats these are, joined by "+"."""
        places = {grant.node: grant.mask for grant in grants}
        return "+".join(
            one.id
            for one in self._own(tenant)
            if any(
                index == pool.index and places.get(grant.node, 0) & grant.mask
                for index, grant in self._state.promises.places(one, self._state.room)
            )
        )

    def shown(self, pool: Pool, running: Running) -> Running:
        """The run with what is to be seen of its accelerators."""
        cover = self._known[self._worn].get(pool.index) if self._worn in self._known else None
        if cover is None or not cover.parts:
            return running
        return running._replace(grants=self.seen(pool, running.grants))

    def seen(self, pool: Pool, grants: tuple[Grant, ...]) -> tuple[Grant, ...]:
        """What is to be seen of these."""
        cover = self._known[self._worn].get(pool.index) if self._worn in self._known else None
        if cover is None:
            return grants
        left = ((node, mask & ~cover.parts.get(node, 0)) for node, mask in grants if not cover.nodes >> node & 1)
        return tuple(Grant(node, mask) for node, mask in left if mask)

    def why(self, job: Waiting, has_place: Callable[[], bool]) -> Maintenance | Reservation | None:
        """The promise but for which the job would have a place: the first that alone suffices; None: room is short.

        ``has_place`` tells whether it has one in what is to be seen.
        """
        hidden = self.hidden(job)
        if not hidden:
            return None
        self.lift()
        if not has_place():
            return None
        for number in hidden:
            self._wear(("", tuple(other for other in hidden if other != number)))
            if has_place():
                return self._promises[number]
        return self._promises[hidden[0]]

    def reservation(self, job: Waiting) -> Reservation | None:
        """The first reservation of the tenant's of a type that its reserved work accepts, whether or not it began."""
        ask = job.ask
        for one in self._promises:
            if isinstance(one, Reservation) and one.tenant == ask.tenant and one.type in ask.types:
                return one if ask.tier is Tier.RESERVED else None
        return None

    def hidden(self, job: Waiting) -> tuple[int, ...]:
        """The promises whose accelerators the job may not use, by number: jobs of whom it is equal see alike."""
        return tuple(
            number for number, promise in enumerate(self._promises) if not may_use(job, promise, self._now_ms)
        )

    def _own(self, tenant: str) -> list[Reservation]:
        return [
            one
            for one in self._promises
            if isinstance(one, Reservation) and one.tenant == tenant and one.in_force(self._now_ms)
        ]

    def _wear(self, key: Key) -> None:
        if key == self._worn:
            return
        pools = self._state.room.pools
        for pool, grants in self._taken:
            pool.give(grants)
        self._taken.clear()
        for index in self._known.get(self._worn, {}):
            pools[index].widen()
        self._worn = key
        if key == ("", ()):
            return
        covers = self._known.get(key)
        if covers is None:
            covers = self._known[key] = self._covers(*key)
        for index, cover in covers.items():
            pool = pools[index]
            pool.narrow(cover.nodes)
            taken = ((node, mask & pool.free_mask(node)) for node, mask in cover.parts.items())
            grants = tuple(Grant(node, mask) for node, mask in taken if mask)
            pool.take(grants)
            self._taken.append((pool, grants))

    def _covers(self, tenant: str, hidden: tuple[int, ...]) -> dict[int, _Cover]:
        masks = self._masks(self._promises[number] for number in hidden)
        if tenant:
            own = self._masks(self._own(tenant))
            for pool in self._state.room.pools:
                seats, closed = own.get(pool.index, {}), masks.setdefault(pool.index, {})
                for node, size in enumerate(pool.sizes):
                    others = ((1 << size) - 1) & ~seats.get(node, 0)
                    if others:
                        closed[node] = closed.get(node, 0) | others
        return {index: _cover(self._state.room.pools[index], found) for index, found in masks.items() if found}

    def _masks(self, promises: Iterable[Maintenance | Reservation]) -> dict[int, dict[int, int]]:
        """Pool -> node -> the accelerators of these."""
        masks: dict[int, dict[int, int]] = {}
        for promise in promises:
            for index, (node, mask) in self._state.promises.places(promise, self._state.room):
                nodes = masks.setdefault(index, {})
                nodes[node] = nodes.get(node, 0) | mask
        return masks


def _cover(pool: Pool, masks: dict[int, int]) -> _Cover:
    whole, parts = 0, {}
    for node, mask in masks.items():
        if mask.bit_count() == pool.sizes[node]:
            whole |= 1 << node
        else:
            parts[node] = mask
    return _Cover(whole, parts)
