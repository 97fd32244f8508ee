"""Reservations: ask for them, confirm them, and look at them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from petahour.billing.book import unit_price
from petahour.billing.commitments import cost_of, hours_of
from petahour.billing.fields import PPM_PER_CENT, read_percent
from petahour.billing.lending import lent_account, share_note
from petahour.control.authorize import Action, authorize
from petahour.control.context import Context
from petahour.control.credit_accounts import spendable_micros
from petahour.control.reservation_floor import put_reservation, seated
from petahour.control.tenants import known_tenant
from petahour.model.errors import ConflictError, FundsError, NotFoundError, ValidationError
from petahour.model.jobs import Tier
from petahour.model.money import Money, format_micros
from petahour.model.promises import Reservation, ReservationState
from petahour.model.resources import MAX_ACCELERATORS_PER_NODE, MAX_GANG_NODES
from petahour.model.tenants import Caller
from petahour.model.time import DAY_MS, HOUR_MS, add_months, to_iso
from petahour.store.protocol import Transaction

LONGEST_MS = 5 * 366 * DAY_MS
FARTHEST_MS = 366 * DAY_MS
MOST_MONTHS = 60


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """What a reservation is asked for. ``count`` accelerators, or ``nodes`` x ``per_node``; ``from_ms`` None: now.

    It ends at ``to_ms``, or so many calendar ``months`` after its beginning. ``price``: agreed per accelerator-hour,
    as decimal text; None: the reserved price of the book in force at its beginning. ``share``: agreed part of what
    its lent seats earn, in per cent as text; None: that of the same book. ``renews``: it is
    renewed month by month, counted from its beginning, or from ``renew_from_ms``. ``of``: the one it enlarges.
    """

    tenant: str
    type: str
    count: int | None = None
    nodes: int | None = None
    per_node: int | None = None
    from_ms: int | None = None
    to_ms: int | None = None
    months: int | None = None
    price: str | None = None
    lends: bool = False
    share: str | None = None
    renews: bool = False
    renew_from_ms: int | None = None
    of: str = ""


def reserve(context: Context, caller: Caller, wish: Wish) -> Reservation:
    """A reservation: confirmed where the operator's people ask, else requested until they confirm it.

    Raises ValidationError on what cannot be one, ConflictError naming the instant at which too few accelerators can
    be promised, and FundsError where prepaid credit does not cover its first hour.
    """
    authorize(caller, Action.REQUEST_RESERVATION, wish.tenant)
    if wish.price is not None or wish.share is not None:
        authorize(caller, Action.SET_RESERVATION)
    name = context.catalog.get(wish.type).name
    with context.store.write() as tx:
        now_ms = context.clock.now_ms()
        from_ms, to_ms = _window(wish, now_ms)
        currency = known_tenant(tx, wish.tenant).currency
        nodes, per_node = _shape(tx, wish, name)
        wanted = Reservation(
            id=context.ids.new("res"),
            tenant=wish.tenant,
            type=name,
            nodes=nodes,
            per_node=per_node,
            from_ms=from_ms,
            to_ms=to_ms,
            price_micros=_price(context, wish, name, currency, from_ms),
            currency=currency,
            lends=wish.lends,
            share_ppm=_share(context, wish, currency, from_ms),
            renew_from_ms=from_ms if wish.renews else wish.renew_from_ms,
            of=wish.of,
            created_ms=now_ms,
            created_by=caller.user,
        )
        # Whoever asks for what could never be promised is told at once.
        made = seated(context, tx, wanted, now_ms)
        if caller.role.of_operator:
            made = confirmed(context, tx, made, now_ms)
            cause = f"confirmed by {caller.user}"
        else:
            made, cause = replace(made, seats=()), f"requested by {caller.user}"
        put_reservation(tx, made, now_ms, cause)
    context.wake()
    return made


def confirm(context: Context, caller: Caller, reservation_id: str, *, price: str | None = None) -> Reservation:
    """Promise what was requested, from now on where its beginning is past. Confirmed twice it is confirmed once."""
    authorize(caller, Action.SET_RESERVATION)
    with context.store.write() as tx:
        now_ms = context.clock.now_ms()
        known = find(tx, caller, reservation_id)
        if known.state is ReservationState.CONFIRMED:
            return known
        if known.state is ReservationState.CANCELLED or known.to_ms <= now_ms:
            raise ConflictError(
                field="reservation",
                value=reservation_id,
                rule=f"one that is requested still, and not over: it is {known.shown_state(now_ms)}",
                remedy="Ask for a new one.",
            )
        agreed = known.price_micros if price is None else _agreed(price, known.currency)
        wanted = replace(known, from_ms=max(known.from_ms, now_ms), price_micros=agreed)
        made = confirmed(context, tx, seated(context, tx, wanted, now_ms), now_ms)
        put_reservation(tx, made, now_ms, f"confirmed by {caller.user}")
    context.wake()
    return made


def reservations_for(context: Context, caller: Caller, *, tenant: str | None = None) -> Sequence[Reservation]:
    """Those of a tenant, or all that the caller may see, by their beginning."""
    authorize(caller, Action.READ_RESERVATIONS, tenant)
    whose = tenant if caller.role.of_operator else caller.tenant
    with context.store.read() as tx:
        return tx.promises.reservations(tenant=whose)


def reservation_for(context: Context, caller: Caller, reservation_id: str) -> Reservation:
    """One that the caller may see."""
    authorize(caller, Action.READ_RESERVATIONS)
    with context.store.read() as tx:
        return find(tx, caller, reservation_id)


def lent_micros(context: Context, reservation: Reservation) -> int:
    """What its lent seats have earned its owner so far, in micro-units."""
    account = lent_account(reservation.currency, reservation.type, rehearsal=reservation.rehearsal)
    with context.store.read() as tx:
        return tx.reports.noted(account, share_note(reservation.id))


def find(tx: Transaction, caller: Caller, reservation_id: str) -> Reservation:
    """The reservation if the caller may know of it; NotFoundError otherwise, in the same words."""
    found = tx.promises.reservation(reservation_id)
    if found is None or not (caller.role.of_operator or caller.tenant == found.tenant):
        raise NotFoundError(
            field="reservation",
            value=reservation_id,
            rule="no such reservation",
            remedy='"petahour reserve list" lists them.',
        )
    return found


def confirmed(context: Context, tx: Transaction, wanted: Reservation, now_ms: int) -> Reservation:
    """Confirmed, where the tenant can pay for its first hour: of whoever pays before, credit must cover it."""
    first = next(hours_of(wanted, wanted.from_ms, wanted.to_ms))
    due = cost_of(wanted, *first)
    left = spendable_micros(tx, wanted.tenant, wanted.currency)
    if not wanted.rehearsal and left < due:
        raise FundsError(
            field="credit",
            value=f"{format_micros(left, wanted.currency)} {wanted.currency}",
            rule=f"credit covers its first hour, {format_micros(due, wanted.currency)} {wanted.currency}",
            remedy="Top up the tenant's credit.",
        )
    return replace(wanted, state=ReservationState.CONFIRMED)


def check_end(to_ms: int, from_ms: int, now_ms: int) -> None:
    """An end is a whole hour of UTC after the beginning, and to come."""
    if to_ms % HOUR_MS or not max(from_ms, now_ms) < to_ms <= from_ms + LONGEST_MS:
        raise ValidationError(
            field="to",
            value=to_iso(to_ms),
            rule=f"a whole hour of UTC after {to_iso(max(from_ms, now_ms))}, within {LONGEST_MS // DAY_MS} days",
            remedy="Write it like 2027-02-01T00:00:00Z.",
        )


def _window(wish: Wish, now_ms: int) -> tuple[int, int]:
    from_ms = now_ms if wish.from_ms is None else wish.from_ms
    if wish.from_ms is not None and (from_ms % HOUR_MS or not now_ms <= from_ms <= now_ms + FARTHEST_MS):
        raise ValidationError(
            field="from",
            value=to_iso(from_ms),
            rule=f"a whole hour of UTC to come, within {FARTHEST_MS // DAY_MS} days",
            remedy="Write it like 2027-01-01T00:00:00Z, or leave it out for now.",
        )
    if (wish.to_ms is None) is (wish.months is None):
        raise ValidationError(
            field="to", value=wish.to_ms, rule="an end, or a number of months, and not both", remedy="Give one."
        )
    if wish.months is not None:
        if not 1 <= wish.months <= MOST_MONTHS:
            raise ValidationError(
                field="months",
                value=wish.months,
                rule=f"from 1 to {MOST_MONTHS}",
                remedy="Ask for a shorter time and extend it later.",
            )
        end_ms = add_months(from_ms, wish.months)
        return from_ms, end_ms + -end_ms % HOUR_MS
    to_ms = wish.to_ms or 0
    check_end(to_ms, from_ms, now_ms)
    return from_ms, to_ms


def _shape(tx: Transaction, wish: Wish, name: str) -> tuple[int, int]:
    """Nodes and accelerators on each: as said, or of a count as few nodes as hold it."""
    if (wish.count is None) is (wish.nodes is None and wish.per_node is None):
        raise ValidationError(
            field="count",
            value=wish.count,
            rule="a number of accelerators, or nodes and accelerators on each, and not both",
            remedy="Give one of them.",
        )
    if wish.count is None:
        nodes, per_node = wish.nodes or 1, wish.per_node or max(_widths(tx, name), default=1)
    else:
        width = max(_widths(tx, name), default=1)
        if wish.count > width and wish.count % width:
            raise ValidationError(
                field="count",
                value=wish.count,
                rule=f"a part of a node, or whole nodes of {width} {name}",
                remedy="Upgrade it in several steps." if wish.of else "Give nodes and per_node for another shape.",
            )
        nodes, per_node = (1, wish.count) if wish.count <= width else (wish.count // width, width)
    for field, value, most in (("nodes", nodes, MAX_GANG_NODES), ("per_node", per_node, MAX_ACCELERATORS_PER_NODE)):
        if not 1 <= value <= most:
            field = field if wish.count is None else "count"
            raise ValidationError(
                field=field, value=value, rule=f"a whole number from 1 to {most}", remedy="Correct the number."
            )
    return nodes, per_node


def _widths(tx: Transaction, name: str) -> list[int]:
    return [node.accelerators for node in tx.fleet.every() if node.type == name]


def _price(context: Context, wish: Wish, name: str, currency: str, from_ms: int) -> int:
    if wish.price is not None:
        return _agreed(wish.price, currency)
    book = context.prices.in_force(currency, from_ms)
    found = None
    if book is not None:
        found = unit_price(book, tenant=wish.tenant, type=name, tier=Tier.RESERVED, at_ms=from_ms)
    if found is None:
        raise ValidationError(
            field="price",
            value=None,
            rule=f"agreed, as no price book sells {name} as reserved in {currency} then",
            remedy="Give the price of an accelerator-hour.",
        )
    return found


def _share(context: Context, wish: Wish, currency: str, from_ms: int) -> int:
    if wish.share is not None:
        return int(read_percent(wish.share.removesuffix("%"), "share") * PPM_PER_CENT)
    book = context.prices.in_force(currency, from_ms)
    return 0 if book is None else book.lent_share_ppm


def _agreed(price: str, currency: str) -> int:
    micros = Money.parse(price, currency, field="price").micros
    if micros < 0:
        raise ValidationError(field="price", value=price, rule="zero or more", remedy="Correct the price.")
    return micros
