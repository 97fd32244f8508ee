"""Reservations change: end early against a fee, go on longer, or become larger."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from petahour.billing.commitments import early_end_fee, early_end_id, fee_transfer
from petahour.billing.fields import PPM_PER_CENT
from petahour.control.authorize import Action, authorize
from petahour.control.context import Context
from petahour.control.lending import recall
from petahour.control.reservation_floor import floor_of, paid_from, put_reservation, refusal, seated
from petahour.control.reservations import Wish, check_end, find, reserve
from petahour.model.errors import ConflictError, ValidationError
from petahour.model.money import Money
from petahour.model.promises import RenewalStep, Reservation, ReservationState
from petahour.model.tenants import Caller
from petahour.model.time import HOUR_MS, to_iso
from petahour.scheduler.seating import Short, seat, still_seated
from petahour.store.protocol import Transaction


def end_reservation(
    context: Context, caller: Caller, reservation_id: str, *, most_micros: int | None = None
) -> tuple[Reservation, int]:
    """End it with the present hour, or before it begins, and the fee for that in micro-units.

    The fee is a part of what it would still have cost; a request that was never confirmed costs nothing. Ended twice
    it is ended once, for one fee. ``most_micros``: the fee that was agreed to; ConflictError where it is more by now.
    """
    with context.store.write() as tx:
        now_ms = context.clock.now_ms()
        known = find(tx, caller, reservation_id)
        authorize(caller, Action.REQUEST_RESERVATION, known.tenant)
        found = early_end(context, known, now_ms)
        if found is None:
            return known, 0
        ended, fee = found
        if most_micros is not None and fee > most_micros:
            agreed, costs = Money(most_micros, known.currency), Money(fee, known.currency)
            raise ConflictError(
                field="fee_micros",
                value=str(agreed),
                rule=f"at least the fee for an early end, which is {costs} by now",
                remedy="Look at the reservation, and end it for that.",
            )
        if fee:
            tx.ledger.post(fee_transfer(known, paid_from(tx, known, fee), fee, at_ms=now_ms))
        put_reservation(tx, ended, now_ms, f"ended early by {caller.user}" if fee else f"cancelled by {caller.user}")
    context.wake()
    return ended, fee


def early_end(context: Context, known: Reservation, now_ms: int) -> tuple[Reservation, int] | None:
    """What becomes of it if it is ended now, and the fee for that in micro-units; None: it is over."""
    if known.state is ReservationState.CANCELLED or known.to_ms <= now_ms:
        return None
    if known.state is ReservationState.REQUESTED:
        return replace(known, state=ReservationState.CANCELLED), 0
    begun = known.from_ms <= now_ms
    end_ms = min(known.to_ms, now_ms - now_ms % HOUR_MS + HOUR_MS) if begun else known.from_ms
    state = ReservationState.CONFIRMED if begun else ReservationState.CANCELLED
    fee = early_end_fee(known, end_ms, context.settings.early_end_percent)
    return replace(known, to_ms=end_ms, state=state, renew_from_ms=None), fee


def extend(context: Context, caller: Caller, reservation_id: str, *, to_ms: int) -> Reservation:
    """Let it go on until ``to_ms`` at its price.

    Raises ConflictError where its seats are promised to others by then, or it was ended early for a fee.
    """
    authorize(caller, Action.SET_RESERVATION)
    with context.store.write() as tx:
        now_ms = context.clock.now_ms()
        known = lasting(tx, find(tx, caller, reservation_id), now_ms)
        check_end(to_ms, known.from_ms, now_ms)
        if to_ms <= known.to_ms:
            raise ValidationError(
                field="to",
                value=to_iso(to_ms),
                rule=f"later than it ends now, at {to_iso(known.to_ms)}",
                remedy='To end it earlier use "petahour reserve cancel".',
            )
        longer = extended(context, tx, known, to_ms, now_ms)
        put_reservation(tx, longer, now_ms, f"extended by {caller.user}")
    context.wake()
    return longer


def extended(context: Context, tx: Transaction, known: Reservation, to_ms: int, now_ms: int) -> Reservation:
    """The reservation until a later end. Raises ConflictError where its seats are promised to others by then."""
    longer = replace(known, to_ms=to_ms, renewal=RenewalStep.NONE)
    # What is asked of others is the time that is new: its own seats are its own until then.
    added = replace(longer, from_ms=known.to_ms)
    floor = floor_of(context, tx)
    if still_seated(added, floor, now_ms=now_ms):
        return longer
    if known.from_ms <= now_ms:
        found = seat(added, floor, now_ms=now_ms)
        short = found if isinstance(found, Short) else None
        raise _moved(known) if short is None else refusal(added, short)
    return seated(context, tx, longer, now_ms)


def upgrade(context: Context, caller: Caller, reservation_id: str, *, count: int, price: str | None) -> Reservation:
    """Enlarge it by ``count`` accelerators from now, or from its beginning, to its end: a reservation beside it.

    Its price is that of the first unless another is given. Jobs lie on the seats of both.
    """
    authorize(caller, Action.SET_RESERVATION)
    now_ms = context.clock.now_ms()
    with context.store.read() as tx:
        known = lasting(tx, find(tx, caller, reservation_id), now_ms)
    wish = Wish(
        tenant=known.tenant,
        type=known.type,
        count=count,
        from_ms=known.from_ms if known.from_ms > now_ms else None,
        to_ms=known.to_ms,
        price=price if price is not None else str(_decimal(known.price_micros)),
        lends=known.lends,
        share=str(Decimal(known.share_ppm) / PPM_PER_CENT),
        renew_from_ms=known.renew_from_ms,
        of=known.of or known.id,
    )
    return reserve(context, caller, wish)


def lend(context: Context, caller: Caller, reservation_id: str, *, lends: bool) -> Reservation:
    """Lend what is unused of it to spot from now on, or no longer; done twice it is done once.

    Where it is lent no longer, spot on its seats gets its signal and its grace period, and is not charged for it.
    """
    with context.store.write() as tx:
        now_ms = context.clock.now_ms()
        known = find(tx, caller, reservation_id)
        authorize(caller, Action.REQUEST_RESERVATION, known.tenant)
        if known.state is ReservationState.CANCELLED or known.to_ms <= now_ms:
            raise ConflictError(
                field="reservation",
                value=reservation_id,
                rule=f"one that is not over: it is {known.shown_state(now_ms)}",
                remedy="Make a new one.",
            )
        if known.lends is lends:
            return known
        changed = replace(known, lends=lends)
        put_reservation(tx, changed, now_ms, f"{'lent' if lends else 'no longer lent'}, by {caller.user}")
        if known.lends:
            recall(tx, changed, now_ms)
    context.wake()
    return changed


def lasting(tx: Transaction, known: Reservation, now_ms: int) -> Reservation:
    """The same. Raises ConflictError where it is over, or was ended early: its fee paid for its end."""
    if not known.kept(now_ms):
        raise ConflictError(
            field="reservation",
            value=known.id,
            rule=f"one that is confirmed and not over: it is {known.shown_state(now_ms)}",
            remedy="Make a new one.",
        )
    if tx.ledger.transfer(early_end_id(known.id)) is not None:
        raise ConflictError(
            field="reservation",
            value=known.id,
            rule=f"one that was not ended early: it ends at {to_iso(known.to_ms)}, and its fee for that is charged",
            remedy="Make a new one.",
        )
    return known


def _moved(known: Reservation) -> ConflictError:
    return ConflictError(
        field="to",
        value=known.id,
        rule="its own accelerators are promised to others by then, and work of its tenant may lie on them",
        remedy="Make a reservation beside it for that time.",
    )


def _decimal(micros: int) -> str:
    return f"{micros // 1_000_000}.{micros % 1_000_000:06d}"
