"""Promises: maintenance windows and reservations, found by where they lie in the room."""

from __future__ import annotations

from petahour.model.promises import LENT_GRACE_MS, Maintenance, Reservation, ReservationState
from petahour.model.resources import Slot
from petahour.model.time import MINUTE_MS
from petahour.scheduler.ask import Grant, Waiting
from petahour.scheduler.room import Room, mask_of

STARTING_MS = MINUTE_MS  # a walltime counts from the first rank's start, which comes after the placement

Promise = Maintenance | Reservation
Place = tuple[int, Grant]  # pool, accelerators of one of its nodes


class Promises:
    """What is promised and not over. The owner tells every change."""

    def __init__(self) -> None:
        self.windows: dict[str, Maintenance] = {}
        self.reservations: dict[str, Reservation] = {}
        self.some = False  # whether there is any; read in every pass
        self._room: Room | None = None
        self._places: dict[str, tuple[Place, ...]] = {}

    def put_window(self, window: Maintenance) -> None:
        """A window is this now."""
        self._places.pop(window.id, None)
        if window.state.over:
            self.windows.pop(window.id, None)
        else:
            self.windows[window.id] = window
        self.some = bool(self.windows or self.reservations)

    def put_reservation(self, reservation: Reservation) -> None:
        """A reservation is this now."""
        self._places.pop(reservation.id, None)
        if reservation.state is ReservationState.CONFIRMED:
            self.reservations[reservation.id] = reservation
        else:
            self.reservations.pop(reservation.id, None)
        self.some = bool(self.windows or self.reservations)

    def forget(self, now_ms: int) -> None:
        """What is over by now is of no more use."""
        for promise in [one for one in self._every() if one.to_ms <= now_ms]:
            self.windows.pop(promise.id, None)
            self.reservations.pop(promise.id, None)
            self._places.pop(promise.id, None)
        self.some = bool(self.windows or self.reservations)

    def ahead(self, now_ms: int) -> list[Promise]:
        """What is not over, in the order of its beginning."""
        return sorted((one for one in self._every() if one.to_ms > now_ms), key=lambda one: (one.from_ms, one.id))

    def edge_after(self, now_ms: int) -> int | None:
        """When the next one begins or ends."""
        return min(
            (at_ms for one in self._every() for at_ms in (one.from_ms, one.to_ms) if at_ms > now_ms), default=None
        )

    def places(self, promise: Promise, room: Room) -> tuple[Place, ...]:
        """Its accelerators in the room; those of nodes that are no longer there are left out."""
        if self._room is not room:
            self._room, self._places = room, {}
        found = self._places.get(promise.id)
        if found is None:
            found = self._places[promise.id] = tuple(_places(promise, room))
        return found

    def _every(self) -> list[Promise]:
        return [*self.windows.values(), *self.reservations.values()]

    def copy(self) -> Promises:
        """The same, which then goes its own way."""
        other = Promises()
        other.windows, other.reservations, other.some = dict(self.windows), dict(self.reservations), self.some
        return other


def movable(job: Waiting) -> bool:
    """Whether maintenance stops it: spot, and what keeps checkpoints and told nobody how long it runs."""
    return job.ask.spot or (job.checkpoints and job.walltime_ms is None)


def may_use(job: Waiting, promise: Promise, now_ms: int) -> bool:
    """Whether the job may start now on what is promised to others, or to nobody.

    Whoever is surely over before it begins may. So may spot, as it makes way: before maintenance as long as its grace
    period still fits, and on a reservation's seats until that begins, or throughout where the owner lends and the
    job can be stopped at once.
    """
    if job.walltime_ms is not None and now_ms + STARTING_MS + job.walltime_ms <= promise.from_ms:
        return True
    if isinstance(promise, Maintenance):
        return movable(job) and now_ms + STARTING_MS + job.grace_ms <= promise.from_ms
    return job.ask.spot and (now_ms < promise.from_ms or (promise.lends and job.grace_ms <= LENT_GRACE_MS))


def _places(promise: Promise, room: Room) -> list[Place]:
    if isinstance(promise, Reservation):
        seats = promise.seats
    else:
        sizes = {name: size for pool in room.pools for name, size in zip(pool.names, pool.sizes, strict=True)}
        seats = tuple(Slot(node=name, indexes=tuple(range(sizes[name]))) for name in promise.nodes if name in sizes)
    places = []
    for seat in seats:
        pool = room.find(seat.node)
        number = None if pool is None else pool.number(seat.node)
        if pool is not None and number is not None:
            places.append((pool.index, Grant(number, mask_of(seat) & ((1 << pool.sizes[number]) - 1))))
    return places
