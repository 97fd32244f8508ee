"""Commitments: every hour of a reservation is charged, used or not, and of whoever pays before it is set aside first.

Ids derive from reservation and hour, and what is stored says how far it came: a crash anywhere is made good by the
next step, and a control plane that was away charges the hours it missed.
"""

from __future__ import annotations

from dataclasses import replace

from petahour.billing.commitments import Hour, commit_id, commit_transfer, cost_of, earn_transfer, hours_of
from petahour.control.context import Context
from petahour.control.credit_accounts import spendable_micros
from petahour.control.reservation_floor import paid_from
from petahour.model.events import Event, EventKind
from petahour.model.promises import Reservation, ReservationState
from petahour.model.usage import AccountKind
from petahour.store.protocol import Transaction


def charge_reservations(context: Context) -> bool:
    """Charge the hours that are over, set credit aside for those that have begun. True when anything was stored."""
    live = context.live
    if not live.reservations:
        return False
    now_ms = context.clock.now_ms()
    wrote = False
    for known in sorted(live.reservations.values(), key=lambda one: one.id):
        hour = next(hours_of(known, known.billed_ms or known.from_ms, now_ms + 1), None)
        if hour is None or (now_ms < hour[1] and commit_id(known.id, hour[0]) in live.committed):
            continue
        with context.store.write() as tx:
            stored = tx.promises.reservation(known.id)
            if stored is not None and stored.state is ReservationState.CONFIRMED:
                wrote = _charge(tx, stored, now_ms) or wrote
        live.committed.add(commit_id(known.id, hour[0]))
    return wrote


def _charge(tx: Transaction, reservation: Reservation, now_ms: int) -> bool:
    began = reservation
    for hour in hours_of(reservation, reservation.billed_ms or reservation.from_ms, now_ms + 1):
        if hour[1] > now_ms:
            return _set_aside(tx, reservation, hour, now_ms) or reservation != began
        amount_micros = cost_of(reservation, *hour)
        if amount_micros:
            source = _source(tx, reservation, hour, amount_micros)
            tx.ledger.post(earn_transfer(reservation, hour, source, at_ms=now_ms))
        reservation = replace(reservation, billed_ms=hour[1])
        tx.promises.put_reservation(reservation)
        _tell(tx, reservation, hour, amount_micros, now_ms, "charged")
    return reservation != began


def _source(tx: Transaction, reservation: Reservation, hour: Hour, amount_micros: int) -> AccountKind:
    if tx.ledger.transfer(commit_id(reservation.id, hour[0])) is not None:
        return AccountKind.COMMITTED
    return paid_from(tx, reservation, amount_micros)


def _set_aside(tx: Transaction, reservation: Reservation, hour: Hour, now_ms: int) -> bool:
    amount_micros = cost_of(reservation, *hour)
    if not amount_micros or paid_from(tx, reservation, amount_micros) is not AccountKind.PREPAID:
        return False  # It is charged when the hour is over, and owed where there is no credit then.
    if not tx.ledger.post(commit_transfer(reservation, hour, at_ms=now_ms)):
        return False
    _tell(tx, reservation, hour, amount_micros, now_ms, "set aside")
    return True


def _tell(tx: Transaction, reservation: Reservation, hour: Hour, amount_micros: int, now_ms: int, what: str) -> None:
    data: dict[str, object] = {
        "reservation": reservation.id,
        "start_ms": hour[0],
        "end_ms": hour[1],
        "amount_micros": amount_micros,
        "currency": reservation.currency,
        "what": what,
        "available_micros": spendable_micros(tx, reservation.tenant, reservation.currency),
    }
    tx.events.append(Event(kind=EventKind.RESERVATION_BILLED, at_ms=now_ms, tenant=reservation.tenant, data=data))
