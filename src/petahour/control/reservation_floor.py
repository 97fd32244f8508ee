"""What a new promise has to go by, read in the transaction that makes it; and how promises are stored."""

from __future__ import annotations

from dataclasses import replace

from petahour.control.context import Context
from petahour.control.credit_accounts import spendable_micros
from petahour.control.lending import keep_lending
from petahour.control.windows import surely_over_ms
from petahour.model.errors import ConflictError
from petahour.model.events import Event, EventKind
from petahour.model.jobs import Tier
from petahour.model.promises import Reservation, ReservationState, reservation_data
from petahour.model.time import to_iso
from petahour.model.usage import AccountKind
from petahour.scheduler.seating import Floor, Held, Seats, Short, seat, still_seated
from petahour.store.protocol import Transaction


def floor_of(context: Context, tx: Transaction) -> Floor:
    """The fleet, what runs there and does not make way for a reservation, and what is promised already."""
    held = []
    active = [one for one in tx.allocations.active() if one.tier is not Tier.SPOT and not one.reservation]
    jobs = {job.id: job for job in tx.jobs.many({one.job for one in active})}
    for allocation in active:
        held.append(Held(slots=allocation.slots, ends_ms=surely_over_ms(allocation, jobs[allocation.job])))
    return Floor(
        nodes=tx.fleet.every(),
        held=held,
        reservations=tx.promises.reservations(state=ReservationState.CONFIRMED),
        windows=tx.promises.windows(),
        kept_percent=context.settings.unreserved_percent,
    )


def seated(context: Context, tx: Transaction, wanted: Reservation, now_ms: int) -> Reservation:
    """The reservation with seats, or ConflictError naming the instant and how many are free to promise then."""
    found = seat(wanted, floor_of(context, tx), now_ms=now_ms)
    if isinstance(found, Seats):
        return replace(wanted, seats=found.slots, rehearsal=found.rehearsal)
    raise refusal(wanted, found)


def refusal(wanted: Reservation, short: Short) -> ConflictError:
    """Why it cannot be promised."""
    kept = f", {short.kept} kept for others" if short.kept else ""
    at = to_iso(short.at_ms)
    if short.total == 0:
        rule, remedy = f"this fleet has no {wanted.type} in service", "Reserve a type that the fleet has."
    elif short.scattered:
        rule = f"at {at} {short.free} of {short.total} {wanted.type} can still be promised, but no {wanted.nodes} x "
        rule += f"{wanted.per_node}: the rest is held by work that may still run then, or lies apart"
        remedy = "Ask for fewer or smaller nodes, or begin later."
    else:
        rule = f"at {at} {short.free} of {short.total} {wanted.type} can still be promised{kept}"
        remedy = f"Ask for at most {short.free}, or for another window." if short.free else "Ask for another window."
    return ConflictError(field="count", value=wanted.accelerators, rule=rule, remedy=remedy)


def reseated(context: Context, tx: Transaction, known: Reservation, now_ms: int) -> Reservation | None:
    """The reservation with other seats of its pool for those that cannot be kept; None: there are none."""
    floor = floor_of(context, tx)
    nodes = {node.name: node for node in floor.nodes}
    pool = nodes[known.seats[0].node].pool
    lasting = []
    for slot in known.seats:
        one = replace(known, nodes=1, seats=(slot,), from_ms=max(known.from_ms, now_ms))
        if still_seated(one, floor, now_ms=now_ms):
            lasting.append(slot)
    stays = replace(known, id=f"{known.id} as it stays", seats=tuple(lasting))
    moved = replace(known, nodes=known.nodes - len(lasting), seats=(), from_ms=max(known.from_ms, now_ms))
    # What stays keeps its nodes to itself: a seat of the same reservation there would be the node's second.
    others = [node for node in floor.nodes if node.pool == pool and node.name not in {one.node for one in lasting}]
    without = replace(floor, nodes=others, reservations=[*floor.reservations, stays])
    found = seat(moved, without, now_ms=now_ms) if moved.nodes else Seats(slots=(), rehearsal=known.rehearsal)
    if not isinstance(found, Seats) or not moved.nodes:
        return known if isinstance(found, Seats) else None
    return replace(known, seats=tuple(sorted([*lasting, *found.slots])))


def paid_from(tx: Transaction, reservation: Reservation, micros: int) -> AccountKind:
    """The tenant's account that pays: credit where that suffices, else what it owes; of rehearsals their own."""
    if reservation.rehearsal:
        return AccountKind.REHEARSAL_USE
    postpaid = tx.credit.terms(reservation.tenant).postpaid
    if postpaid or spendable_micros(tx, reservation.tenant, reservation.currency) < micros:
        return AccountKind.RECEIVABLE
    return AccountKind.PREPAID


def put_reservation(tx: Transaction, reservation: Reservation, now_ms: int, cause: str) -> None:
    """Store a reservation as it is now, and record it with its cause; its seats are paid for until its end."""
    tx.promises.put_reservation(reservation)
    keep_lending(tx, reservation, now_ms)
    for allocation in tx.allocations.active():
        names = allocation.reservation.split("+")
        if reservation.id in names:
            until_ms = min(one.to_ms for one in (tx.promises.reservation(name) for name in names) if one is not None)
            if until_ms != allocation.reserved_until_ms:
                tx.allocations.save(replace(allocation, reserved_until_ms=until_ms))
    tx.events.append(
        Event(
            kind=EventKind.RESERVATION_SET,
            at_ms=now_ms,
            tenant=reservation.tenant,
            data={
                "reservation": reservation_data(reservation),
                "cause": cause,
                "available_micros": spendable_micros(tx, reservation.tenant, reservation.currency),
            },
        )
    )
