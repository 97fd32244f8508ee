"""Reserve: the earliest start a blocked gang can have, and what is kept free for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from heapq import merge
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple

from petahour.scheduler.ask import Grant, Waiting
from petahour.scheduler.funds import beyond_limit
from petahour.scheduler.room import Pool
from petahour.scheduler.state import State

if TYPE_CHECKING:
    from petahour.scheduler.decisions import Start

Shown = Callable[[Pool, tuple[Grant, ...]], tuple[Grant, ...]]

RENEWALS = 16  # a reservation on expected ends is made anew after so small a part of the time that is left


class Reservation(NamedTuple):
    """The gang starts at ``begins_ms`` at the latest, on ``grants``, of which ``claimed`` are free already.

    Where it rests on expected ends it is made anew at ``until_ms``, and until then only looked up.
    """

    job: str
    pool: int
    begins_ms: int
    until_ms: int
    grants: tuple[Grant, ...]
    claimed: tuple[Grant, ...]

    def without(self, grants: tuple[Grant, ...]) -> Reservation:
        """The same once a short job borrows these."""
        return self._replace(claimed=less(self.claimed, grants))

    def renewed(self, state: State) -> Reservation:
        """The same with what is free of it now."""
        return self._replace(claimed=_free_of(self.grants, state.room.pools[self.pool]))


def less(grants: tuple[Grant, ...], others: tuple[Grant, ...]) -> tuple[Grant, ...]:
    """What of these is not among the others."""
    gone = dict(others)
    left = ((node, mask & ~gone.get(node, 0)) for node, mask in grants)
    return tuple(Grant(node, mask) for node, mask in left if mask)


def earliest(
    state: State, job: Waiting, now_ms: int, starts: Sequence[Start], shown: Shown | None
) -> Reservation | None:
    """Over the acceptable types, the soonest instant at which enough runs will have ended; None: unknown.

    ``starts``: what this pass has started, which ends as well. ``shown``: what the job may see of accelerators,
    where anything is hidden.
    """
    best: Reservation | None = None
    for type_name in job.ask.types:
        if state.money is not None and beyond_limit(state.money, job.ask, type_name) is not None:
            continue
        for pool in state.room.by_type.get(type_name, ()):
            found = _earliest_in(state, pool, job, now_ms, starts, shown)
            if found is not None and (best is None or found.begins_ms < best.begins_ms):
                best = found
    return best


def _ends(state: State, pool: int, now_ms: int, starts: Sequence[Start]) -> Iterator[tuple[int, tuple[Grant, ...]]]:
    """(instant, accelerators) in the order in which they will have been given back, by runs and by these starts."""
    running = ((end_ms, state.running[name].grants) for end_ms, name in state.upcoming(pool, now_ms))
    if not starts:
        return running
    known = ((state.end_ms(start.job, now_ms), start.grants) for start in starts if start.pool == pool)
    begun = sorted(((end_ms, grants) for end_ms, grants in known if end_ms is not None), key=itemgetter(0))
    return merge(running, begun, key=itemgetter(0)) if begun else running


def _earliest_in(
    state: State, pool: Pool, job: Waiting, now_ms: int, starts: Sequence[Start], shown: Shown | None
) -> Reservation | None:
    ask = job.ask
    freed: list[tuple[Grant, ...]] = []
    found = None
    begins_ms = now_ms
    for ends_ms, held in _ends(state, pool.index, now_ms, starts):
        grants = held if shown is None else shown(pool, held)
        pool.give(grants)
        freed.append(grants)
        begins_ms = max(now_ms, ends_ms)
        if pool.fits(ask.gang, ask.rest):
            found = pool.fit(ask.gang, ask.rest)
            break
    for grants in freed:
        pool.take(grants)
    if found is None:
        return None
    return Reservation(
        job=job.id,
        pool=pool.index,
        begins_ms=begins_ms,
        until_ms=now_ms + (begins_ms - now_ms) // RENEWALS,
        grants=found,
        claimed=_free_of(found, pool),
    )


def _free_of(grants: tuple[Grant, ...], pool: Pool) -> tuple[Grant, ...]:
    free = ((node, mask & pool.free_mask(node)) for node, mask in grants)
    return tuple(Grant(node, mask) for node, mask in free if mask)
