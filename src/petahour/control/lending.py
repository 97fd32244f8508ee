"""Lending: what reservations lend is kept up to date, and what spot paid there is shared with their owners."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from petahour.billing.lending import share_id, share_transfers, worth_of
from petahour.control.cancel import ask_to_stop
from petahour.control.credit_accounts import spendable_micros
from petahour.control.prices import PriceBooks
from petahour.model.allocations import Allocation, AllocationState, StopCause
from petahour.model.events import Event, EventKind
from petahour.model.jobs import Tier
from petahour.model.promises import Lending, Reservation
from petahour.model.usage import AccountKind, RatedUsage, Transfer
from petahour.store.protocol import Transaction


def keep_lending(tx: Transaction, reservation: Reservation, now_ms: int) -> None:
    """Store what the reservation lends from now on.

    ``now_ms`` is read in the transaction, so that nothing that was charged before lies after it.
    """
    from_ms = max(now_ms, reservation.from_ms)
    lending = None
    if reservation.lends and reservation.share_ppm and reservation.kept(from_ms):
        lending = Lending(
            reservation=reservation.id,
            tenant=reservation.tenant,
            currency=reservation.currency,
            rehearsal=reservation.rehearsal,
            share_ppm=reservation.share_ppm,
            seats=reservation.seats,
            from_ms=from_ms,
            to_ms=reservation.to_ms,
        )
    tx.promises.put_lending(reservation.id, lending, at_ms=now_ms)


def recall(tx: Transaction, reservation: Reservation, now_ms: int) -> int:
    """Ask spot to stop that lies on seats which were lent until now; how many that are. None before it begins."""
    if not reservation.in_force(now_ms):
        return 0
    seats = {(slot.node, index) for slot in reservation.seats for index in slot.indexes}
    stopped = 0
    for allocation in tx.allocations.active():
        places = {(slot.node, index) for slot in allocation.slots for index in slot.indexes}
        if allocation.tier is not Tier.SPOT or not places & seats or not _stoppable(allocation):
            continue
        job = tx.jobs.get(allocation.job)
        if job is not None:
            text = f"seats that it was lent are taken back by {reservation.id}"
            ask_to_stop(tx, job, allocation, cause=StopCause.RECALLED, for_job="", at_ms=now_ms, text=text)
            stopped += 1
    return stopped


def share_lent(
    tx: Transaction, rated: Iterable[RatedUsage], allocations: Iterable[Allocation], *, at_ms: int, prices: PriceBooks
) -> None:
    """Credit the owners of lent seats with their share of charges that were just posted, and tell them.

    What is paid in another currency than an owner's is shared as if it had been paid by the owner's own price book.

    In the transaction of the charges and for new ones alone, under ids that derive from them: once, whatever crashes.
    It comes after all else that moves credit there, as its event says what the credit has come to.
    """
    spot = [one for one in rated if one.record.tier is Tier.SPOT and one.transfer is not None]
    if not spot:
        return
    first_ms, last_ms = min(one.record.start_ms for one in spot), max(one.record.end_ms for one in spot)
    lendings = tx.promises.lendings(from_ms=first_ms, to_ms=last_ms)
    if not lendings:
        return
    slots = {one.id: one.slots for one in allocations}
    owners = {one.tenant for one in lendings}
    sides = {name: _side(tx, name) for name in owners}
    made: dict[str, list[Transfer]] = defaultdict(list)
    known = {one.reservation: one for one in lendings}
    for record, charge, _ in spot:
        worth = {charge.currency: charge.amount_micros}
        for currency in {one.currency for one in lendings} - worth.keys():
            book = prices.in_force(currency, record.start_ms)
            if book is None:
                continue
            price = prices.price(book, tenant="", type=record.type, tier=Tier.SPOT, at_ms=record.start_ms)
            if price is not None:
                worth[currency] = worth_of(record, price)
        found = share_transfers(
            record, charge, slots[record.allocation], lendings, worth=worth, sides=sides, at_ms=at_ms
        )
        for name, transfer in found.items():
            made[name].append(transfer)
    for name, transfers in sorted(made.items()):
        tx.ledger.post_all(transfers)
        owner = known[name]
        data: dict[str, object] = {
            "reservation": name,
            "amount_micros": sum(one.amount_micros for one in transfers),
            "currency": owner.currency,
            "records": len(transfers),
        }
        if not owner.rehearsal:
            data["available_micros"] = spendable_micros(tx, owner.tenant, owner.currency)
        tx.events.append(Event(kind=EventKind.LENT_SHARED, at_ms=at_ms, tenant=owner.tenant, data=data))


def shares_of(tx: Transaction, usage: str) -> Sequence[Transfer]:
    """What owners of lent seats got of the charge of a usage record, and still have."""
    record = tx.ledger.usage_record(usage)
    if record is None or record.tier is not Tier.SPOT:
        return ()
    lendings = tx.promises.lendings(from_ms=record.start_ms, to_ms=record.end_ms)
    names = dict.fromkeys(share_id(usage, one.reservation) for one in lendings)
    shares = tx.ledger.many(names)
    return [shares[name] for name in names if name in shares and tx.ledger.consequence(shares[name]) is None]


def _side(tx: Transaction, tenant: str) -> AccountKind:
    """Credit of who pays before; who pays later owes so much less."""
    return AccountKind.RECEIVABLE if tx.credit.terms(tenant).postpaid else AccountKind.PREPAID


def _stoppable(allocation: Allocation) -> bool:
    return allocation.state in (AllocationState.STARTING, AllocationState.RUNNING)
