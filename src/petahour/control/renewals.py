"""Renewals: reservations that go on month by month. Owners are told before, when it is done, and when it cannot be.

What is stored says how far each has come, and is looked at once a minute: a control plane that was away does what it
missed, and nothing is told twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from petahour.control.authorize import Action, authorize
from petahour.control.bars import NO_NEW
from petahour.control.context import Context
from petahour.control.notices.outbox import tell
from petahour.control.reservation_changes import extended, lasting
from petahour.control.reservation_floor import put_reservation
from petahour.control.reservations import confirmed, find
from petahour.model.errors import ConflictError, FundsError
from petahour.model.events import Event, EventKind
from petahour.model.money import format_micros
from petahour.model.promises import RenewalStep, Reservation, ReservationState
from petahour.model.tenants import Caller
from petahour.model.time import HOUR_MS, next_month_end, to_iso
from petahour.store.protocol import Transaction


def set_renewal(context: Context, caller: Caller, reservation_id: str, *, renews: bool) -> Reservation:
    """Renew it month by month, or no longer. Its owner may end that; the operator's people may begin it, too."""
    with context.store.write() as tx:
        now_ms = context.clock.now_ms()
        known = find(tx, caller, reservation_id)
        authorize(caller, Action.SET_RESERVATION if renews else Action.REQUEST_RESERVATION, known.tenant)
        if known.state is ReservationState.CANCELLED or known.to_ms <= now_ms:
            raise ConflictError(
                field="reservation",
                value=reservation_id,
                rule=f"one that is not over: it is {known.shown_state(now_ms)}",
                remedy="Make a new one.",
            )
        if renews is (known.renew_from_ms is not None):
            return known
        if renews and known.state is ReservationState.CONFIRMED:
            lasting(tx, known, now_ms)
        base = tx.promises.reservation(known.of) if known.of else None
        begin_ms = (base or known).renew_from_ms or (base or known).from_ms
        changed = replace(known, renew_from_ms=begin_ms if renews else None, renewal=RenewalStep.NONE)
        put_reservation(
            tx, changed, now_ms, f"{'renewed' if renews else 'no longer renewed'} monthly, by {caller.user}"
        )
    context.wake()
    return changed


def next_renewal(context: Context, reservation: Reservation) -> tuple[int, int] | None:
    """When it will be renewed and until when; None: it is not renewed."""
    if reservation.renew_from_ms is None or not reservation.kept(context.clock.now_ms()):
        return None
    end_ms = next_month_end(reservation.renew_from_ms, reservation.to_ms)
    return reservation.to_ms - context.settings.renew_before_ms, end_ms


def renew_reservations(context: Context) -> None:
    """Announce and make the renewals that are due. One that is refused is tried again every hour, until its end."""
    now_ms, settings, live = context.clock.now_ms(), context.settings, context.live
    for known in sorted(live.reservations.values(), key=lambda one: (one.to_ms, one.id)):
        if known.renew_from_ms is None or not known.kept(now_ms):
            continue
        left_ms = known.to_ms - now_ms
        if left_ms <= settings.renew_before_ms:
            if now_ms - live.renewals_tried.get(known.id, 0) >= HOUR_MS:
                live.renewals_tried[known.id] = now_ms
                _renew(context, known.id)
        elif left_ms <= settings.renew_notice_ms and known.renewal is RenewalStep.NONE:
            _announce(context, known.id)


def _announce(context: Context, name: str) -> None:
    with context.store.write() as tx:
        now_ms = context.clock.now_ms()
        known = tx.promises.reservation(name)
        if known is None or known.renew_from_ms is None or known.renewal is not RenewalStep.NONE:
            return
        tx.promises.put_reservation(replace(known, renewal=RenewalStep.ANNOUNCED))
        until, price = _until(known), _price(known)
        at = to_iso(known.to_ms - context.settings.renew_before_ms)
        text = f"On {at} {known.id} is renewed until {until}, at its price of {price}. To let it end at "
        text += f'{to_iso(known.to_ms)} instead: "petahour reserve renew {known.id} --off" before then.'
        _tell(tx, known, "announced", f"{known.id} will be renewed until {until}", text, now_ms)


def _renew(context: Context, name: str) -> None:
    with context.store.write() as tx:
        now_ms = context.clock.now_ms()
        known = tx.promises.reservation(name)
        if known is None or known.renew_from_ms is None or not known.kept(now_ms):
            return
        end_ms = next_month_end(known.renew_from_ms, known.to_ms)
        try:
            _check_dues(context, known)
            longer = extended(context, tx, known, end_ms, now_ms)
            confirmed(context, tx, replace(longer, from_ms=known.to_ms), now_ms)
        except (ConflictError, FundsError) as error:
            if known.renewal is not RenewalStep.REFUSED:
                tx.promises.put_reservation(replace(known, renewal=RenewalStep.REFUSED))
                text = (
                    f"{known.id} could not be renewed: {error.rule}. It ends at {to_iso(known.to_ms)}; until then it "
                )
                text += f"is tried again every hour. {error.remedy}"
                _tell(tx, known, "refused", f"{known.id} could not be renewed", text, now_ms)
            return
        put_reservation(tx, longer, now_ms, f"renewed until {to_iso(end_ms)}")
        text = f"{known.id} goes on until {to_iso(end_ms)}, at its price of {_price(known)}."
        _tell(tx, known, "renewed", f"{known.id} is renewed until {to_iso(end_ms)}", text, now_ms)
    context.live.renewals_tried.pop(name, None)


def _check_dues(context: Context, known: Reservation) -> None:
    if not known.rehearsal and context.live.follower.bars.steps.get(known.tenant) in NO_NEW:
        raise ConflictError(
            field="tenant", value=known.tenant, rule="an invoice of its tenant is overdue", remedy="Pay the invoice."
        )


def _tell(tx: Transaction, known: Reservation, step: str, subject: str, text: str, now_ms: int) -> None:
    facts: Mapping[str, object] = {
        "reservation": known.id,
        "step": step,
        "end_ms": known.to_ms,
        "next_end_ms": next_month_end(known.renew_from_ms or known.from_ms, known.to_ms),
        "price_micros": known.price_micros,
        "currency": known.currency,
    }
    tx.events.append(
        Event(kind=EventKind.RESERVATION_RENEWAL, at_ms=now_ms, tenant=known.tenant, data={**facts, "text": text})
    )
    tell(
        tx,
        known.tenant,
        cause=f"renewal-{known.id}-{known.to_ms}-{step}",
        kind=EventKind.RESERVATION_RENEWAL.value,
        subject=f"Petahour: {subject}",
        text=text,
        facts=facts,
        at_ms=now_ms,
    )


def _until(known: Reservation) -> str:
    return to_iso(next_month_end(known.renew_from_ms or known.from_ms, known.to_ms))


def _price(known: Reservation) -> str:
    return f"{format_micros(known.price_micros, known.currency)} {known.currency} per accelerator-hour"
