"""Outages: what is out of service in a replay and why, and what that leaves."""

from __future__ import annotations

from collections.abc import Iterator

from petahour.scheduler.ask import Grant, Running
from petahour.scheduler.room import Room
from petahour.scheduler.state import State
from petahour.simulator.faults import Cause, Change

Place = tuple[int, int]  # pool, node


class OutOfService:
    """Nodes and accelerators that are out. Several causes may keep one node out; it is back when the last one ends.

    A failed accelerator is held in the room, so that nothing is placed on it. Each change is made in two steps:
    ``stopped_by`` tells which runs it ends, which the replay then stops, and ``apply`` makes it.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self._causes: dict[Place, set[tuple[Cause, int]]] = {}
        self._broken: dict[Place, int] = {}
        self._in_service: dict[Place, int] = {}

    @property
    def anything(self) -> bool:
        """Whether anything is out now."""
        return any(self._causes.values()) or any(self._broken.values())

    @property
    def _room(self) -> Room:
        return self._state.room

    def stopped_by(self, change: Change) -> list[Running]:
        """The runs that cannot go on when this happens."""
        if not change.begins or change.cause is Cause.DRAIN:
            return []
        mask = 1 << change.accelerator if change.cause is Cause.ACCELERATOR else -1
        return [
            running
            for running in self._state.running.values()
            if running.pool == change.pool
            and any(grant.node == change.node and grant.mask & mask for grant in running.grants)
        ]

    def apply(self, change: Change) -> int:
        """Make the change; by how many accelerators more or less are in service."""
        pool, place = self._room.pools[change.pool], (change.pool, change.node)
        if change.cause is Cause.ACCELERATOR:
            grant = (Grant(change.node, 1 << change.accelerator),)
            self._broken[place] = self._broken.get(place, 0) ^ (1 << change.accelerator)
            if change.begins:
                pool.take(grant)
            else:
                pool.give(grant)
        else:
            causes = self._causes.setdefault(place, set())
            cause = (change.cause, change.plan)
            if change.begins:
                causes.add(cause)
                pool.shut(change.node)
            else:
                causes.discard(cause)
                if not causes:
                    pool.open(change.node)
        return self._settle(place)

    def left(self, running: Running) -> int:
        """A run ended: what it held of drained nodes is no longer in service; by how many more or less."""
        return sum(self._settle(place) for place in self._drained(running))

    def _drained(self, running: Running) -> Iterator[Place]:
        for grant in running.grants:
            place = (running.pool, grant.node)
            if self._causes.get(place):
                yield place

    def _settle(self, place: Place) -> int:
        """Count anew what of the node is in service: of a drained one what is held, of a failed one nothing."""
        pool = self._room.pools[place[0]]
        node = place[1]
        broken, causes = self._broken.get(place, 0), self._causes.get(place, set())
        if any(cause is not Cause.DRAIN for cause, _ in causes):
            now = 0
        elif causes:
            now = pool.sizes[node] - pool.free_mask(node).bit_count() - broken.bit_count()
        else:
            now = pool.sizes[node] - broken.bit_count()
        change = now - self._in_service.get(place, pool.sizes[node])
        self._in_service[place] = now
        return change
