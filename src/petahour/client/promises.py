"""Promises: the part of the client that speaks of maintenance windows and reservations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from petahour.client.decode import decode
from petahour.client.transport import Query, Transport, json_of, segment

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class Maintenance:
    """Nodes that are empty from ``from_ms`` to ``to_ms``; ``empties``: all that runs there is stopped."""

    id: str
    nodes: tuple[str, ...]
    from_ms: int
    to_ms: int
    reason: str
    empties: bool
    state: str
    created_ms: int
    created_by: str
    runs_on: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Seat:
    """Accelerators of a node that are kept."""

    node: str
    indexes: tuple[int, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Reservation:
    """``nodes`` x ``per_node`` accelerators that are a tenant's in a window. ``billed_ms``: charged up to then.

    ``share_ppm``: of what its lent seats earn, the owner's part in parts per million; ``lent_micros``: what that came
    to so far, known where one reservation is asked for. ``renews_at_ms``: when it is renewed until ``renews_to_ms``;
    ``renewal``: whether that was ``announced``, or ``refused``. ``early_end_ms`` and ``early_end_fee_micros``, of one
    that is asked for: when it would end if it were ended now, and for which fee; None: it is over.
    """

    id: str
    tenant: str
    type: str
    nodes: int
    per_node: int
    accelerators: int
    from_ms: int
    to_ms: int
    price_micros: int
    currency: str
    lends: bool
    rehearsal: bool
    seats: tuple[Seat, ...]
    of: str
    billed_ms: int | None
    state: str
    created_ms: int
    created_by: str
    fee_micros: int = 0
    share_ppm: int = 0
    lent_micros: int | None = None
    renews_at_ms: int | None = None
    renews_to_ms: int | None = None
    renewal: str = ""
    early_end_ms: int | None = None
    early_end_fee_micros: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class LentShare:
    """What one spot usage record earned its seats' owner; ``taken_back``: it was reversed since."""

    transfer: str
    reservation: str
    type: str
    start_ms: int
    end_ms: int
    amount_micros: int
    rehearsal: bool
    taken_back: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class LentShares:
    """A month's shares of a tenant: how many and what they come to, and the latest of them."""

    tenant: str
    month: str
    currency: str
    total_micros: int
    count: int
    shares: tuple[LentShare, ...]


class Promises:
    """Methods of the client, one per route. Errors are those of the client; instants are ISO texts with a zone."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def plan_maintenance(
        self, nodes: Sequence[str], *, begins: str, to: str, reason: str = "", empties: bool = False
    ) -> Maintenance:
        """Keep nodes empty in a window; ``runs_on`` of the answer: jobs that may run into it."""
        body = {"nodes": list(nodes), "from": begins, "to": to, "reason": reason, "empties": empties}
        return self._post(Maintenance, "/v1/maintenance", body)

    def maintenance(self, *, past: bool = False) -> tuple[Maintenance, ...]:
        """The windows that are not over, the next first; with ``past`` the latest of all."""
        return self._list("/v1/maintenance", "windows", Maintenance, {"past": "true" if past else "false"})

    def cancel_maintenance(self, window: str) -> Maintenance:
        """Call a window off."""
        return self._post(Maintenance, f"/v1/maintenance/{segment('maintenance', window)}/cancel", {}, again=True)

    # Reservations

    def reserve(
        self,
        tenant: str,
        accelerator_type: str,
        *,
        count: int | None = None,
        nodes: int | None = None,
        per_node: int | None = None,
        begins: str | None = None,
        to: str | None = None,
        months: int | None = None,
        price: str | None = None,
        lends: bool = False,
        share: str | None = None,
        renews: bool = False,
    ) -> Reservation:
        """Reserve ``count`` accelerators, or ``nodes`` x ``per_node``, from now or later, to an end or for months."""
        body: dict[str, object] = {
            "tenant": tenant,
            "type": accelerator_type,
            "count": count,
            "nodes": nodes,
            "per_node": per_node,
            "from": begins,
            "to": to,
            "months": months,
            "price": price,
            "lends": lends,
            "share": share,
            "renews": renews,
        }
        return self._post(Reservation, "/v1/reservations", body)

    def reservations(self, tenant: str | None = None) -> tuple[Reservation, ...]:
        """Those of a tenant, or all that one may see."""
        return self._list("/v1/reservations", "reservations", Reservation, {"tenant": tenant})

    def reservation(self, name: str) -> Reservation:
        """One of them."""
        path = _reservation(name)
        return decode(Reservation, json_of(self._transport.send("GET", path, repeatable=True)))

    def lent_shares(self, tenant: str, *, month: str | None = None, limit: int = 100) -> LentShares:
        """What a tenant's lent seats earned it in a month, in this one without it."""
        path = f"/v1/tenants/{segment('tenant', tenant)}/lent-shares"
        query: Query = {"month": month, "limit": limit}
        return decode(LentShares, json_of(self._transport.send("GET", path, query=query, repeatable=True)))

    def confirm_reservation(self, name: str, *, price: str | None = None) -> Reservation:
        """Promise what a tenant requested."""
        return self._post(Reservation, f"{_reservation(name)}/confirm", {"price": price}, again=True)

    def end_reservation(self, name: str, *, fee_micros: int | None = None) -> Reservation:
        """End it early; ``fee_micros`` of the answer: what that costs. With one given, it is refused for more."""
        body: dict[str, object] = {} if fee_micros is None else {"fee_micros": fee_micros}
        return self._post(Reservation, f"{_reservation(name)}/cancel", body, again=True)

    def extend_reservation(self, name: str, to: str) -> Reservation:
        """Let it go on until a later hour, at its price."""
        return self._post(Reservation, f"{_reservation(name)}/extend", {"to": to})

    def lend_reservation(self, name: str, *, lends: bool) -> Reservation:
        """Lend what is unused of it to spot from now on, or no longer."""
        return self._post(Reservation, f"{_reservation(name)}/lend", {"lends": lends}, again=True)

    def renew_reservation(self, name: str, *, renews: bool) -> Reservation:
        """Renew it month by month, or no longer."""
        return self._post(Reservation, f"{_reservation(name)}/renew", {"renews": renews}, again=True)

    def upgrade_reservation(self, name: str, count: int, *, price: str | None = None) -> Reservation:
        """Enlarge it by so many accelerators; the answer is the reservation beside it."""
        return self._post(Reservation, f"{_reservation(name)}/upgrade", {"count": count, "price": price})

    def _post(self, kind: type[T], path: str, body: dict[str, object], *, again: bool = False) -> T:
        return decode(kind, json_of(self._transport.send("POST", path, body=body, repeatable=again)))

    def _list(self, path: str, name: str, kind: type[T], query: Query) -> tuple[T, ...]:
        value = json_of(self._transport.send("GET", path, query=query, repeatable=True))
        items = decode(list, value.get(name) if isinstance(value, dict) else value, place=name)
        return tuple(decode(kind, item, place=f"{name}[{index}]") for index, item in enumerate(items))


def _reservation(name: str) -> str:
    return f"/v1/reservations/{segment('reservation', name)}"
