"""Promises in time: maintenance windows, and reservations, in which capacity is a tenant's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from petahour.model.resources import Slot
from petahour.model.time import MINUTE_MS

LENT_GRACE_MS = 2 * MINUTE_MS  # lent is what its owner has back within so much: spot that asks for no more grace


class WindowState(StrEnum):
    """A window is ``planned``, ``open`` from its beginning to its end, then ``closed``; or it was ``cancelled``."""

    PLANNED = "planned"
    OPEN = "open"
    CLOSED = "closed"
    CANCELLED = "cancelled"

    @property
    def over(self) -> bool:
        return self in (WindowState.CLOSED, WindowState.CANCELLED)


@dataclass(frozen=True, kw_only=True, slots=True)
class Maintenance:
    """These nodes take no work from ``from_ms`` (inclusive) to ``to_ms`` (exclusive), UTC.

    What can go on elsewhere is stopped before: spot, and work without a walltime that keeps checkpoints. ``empties``:
    everything else that still runs is stopped too; otherwise it runs to its end.
    """

    id: str
    nodes: tuple[str, ...]
    from_ms: int
    to_ms: int
    reason: str
    empties: bool = False
    state: WindowState = WindowState.PLANNED
    created_ms: int = 0
    created_by: str = ""


class ReservationState(StrEnum):
    """``requested``: nothing is kept yet. ``confirmed``: promised, and in force within its window."""

    REQUESTED = "requested"
    CONFIRMED = "confirmed"
    CANCELLED = "cancelled"


class RenewalStep(StrEnum):
    """``announced``: its owner knows that it will be renewed; ``refused``: it could not be, so far."""

    NONE = ""
    ANNOUNCED = "announced"
    REFUSED = "refused"


@dataclass(frozen=True, kw_only=True, slots=True)
class Reservation:
    """``nodes`` x ``per_node`` accelerators of a type are the tenant's from ``from_ms`` to ``to_ms``, UTC.

    ``seats`` are the accelerators that are kept, all of one pool; a confirmed one has them all. ``lends``: what is
    unused of them may be lent to spot, and ``share_ppm`` of what that earns is the owner's, in parts per million.
    ``price_micros``: of one accelerator-hour, owed for every hour, used or not.
    ``of``: the reservation that this one enlarges. An early end moves ``to_ms``. ``billed_ms``: up to when its hours
    are charged; None: none is yet. ``renew_from_ms``: it is renewed month by month, counted from that instant; None:
    it is not. ``renewal`` is what its owner was told of the next time.
    """

    id: str
    tenant: str
    type: str
    nodes: int
    per_node: int
    from_ms: int
    to_ms: int
    price_micros: int
    currency: str
    lends: bool = False
    share_ppm: int = 0
    rehearsal: bool = False
    seats: tuple[Slot, ...] = ()
    of: str = ""
    billed_ms: int | None = None
    renew_from_ms: int | None = None
    renewal: RenewalStep = RenewalStep.NONE
    state: ReservationState = ReservationState.REQUESTED
    created_ms: int = 0
    created_by: str = ""

    @property
    def accelerators(self) -> int:
        return self.nodes * self.per_node

    def shown_state(self, at_ms: int) -> str:
        """Its state in words: a confirmed one is ``active`` within its window and ``ended`` after it."""
        if self.state is not ReservationState.CONFIRMED or at_ms < self.from_ms:
            return self.state.value
        return "active" if at_ms < self.to_ms else "ended"

    def kept(self, at_ms: int) -> bool:
        """Whether it is a promise still at the instant, or will be one."""
        return self.state is ReservationState.CONFIRMED and at_ms < self.to_ms

    def in_force(self, at_ms: int) -> bool:
        """Whether its seats are the tenant's at the instant."""
        return self.kept(at_ms) and self.from_ms <= at_ms


@dataclass(frozen=True, kw_only=True, slots=True)
class LentShare:
    """What one spot usage record earned a reservation's owner: the transfer, and the record's time.

    ``taken_back``: the transfer was reversed since, and earned nothing.
    """

    transfer: str
    reservation: str
    type: str
    start_ms: int
    end_ms: int
    amount_micros: int
    rehearsal: bool
    taken_back: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Lending:
    """Seats that a reservation lends from ``from_ms`` (inclusive) to ``to_ms`` (exclusive), and its owner's share.

    A change of the reservation cuts it and begins another one, so that what was lent when stays known.
    """

    reservation: str
    tenant: str
    currency: str
    rehearsal: bool
    share_ppm: int
    seats: tuple[Slot, ...]
    from_ms: int
    to_ms: int


def maintenance_data(window: Maintenance) -> dict[str, object]:
    """As JSON values, for the log."""
    return asdict(window) | {"nodes": list(window.nodes), "state": window.state.value}


def maintenance_from(data: Mapping[str, Any]) -> Maintenance:
    """From the log again. Raises KeyError, TypeError or ValueError on another shape."""
    return Maintenance(**{**data, "nodes": tuple(data["nodes"]), "state": WindowState(data["state"])})


def reservation_data(reservation: Reservation) -> dict[str, object]:
    """As JSON values, for the log."""
    values = {"seats": seats_data(reservation.seats), "state": reservation.state.value}
    return asdict(reservation) | values | {"renewal": reservation.renewal.value}


def reservation_from(data: Mapping[str, Any]) -> Reservation:
    """From the log again. Raises KeyError, TypeError or ValueError on another shape."""
    values = {"seats": seats_from(data["seats"]), "state": ReservationState(data["state"])}
    return Reservation(**{**data, **values, "renewal": RenewalStep(data.get("renewal", ""))})


def seats_data(seats: Iterable[Slot]) -> list[dict[str, object]]:
    """Seats as JSON values."""
    return [{"node": slot.node, "indexes": list(slot.indexes)} for slot in seats]


def seats_from(data: Iterable[Mapping[str, Any]]) -> tuple[Slot, ...]:
    """Seats from JSON values again."""
    return tuple(Slot(node=seat["node"], indexes=tuple(seat["indexes"])) for seat in data)
