"""Reservations: no accelerator is promised twice, every hour is charged once, what is set aside is for such hours."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from petahour.control.audit.check import Check, checked
from petahour.control.audit.facts import Facts
from petahour.control.audit.prices import priced
from petahour.model.promises import Reservation, ReservationState
from petahour.model.usage import Transfer
from petahour.store.protocol import Transaction

_HOUR_MS = 3_600_000
Hour = tuple[int, int]
Held = tuple[int, int, frozenset[tuple[str, int]]]


def reservation_checks(tx: Transaction, facts: Facts) -> tuple[Check, ...]:
    """The promises about reservations. Costs the hours that were charged, not the ledger."""
    every = tx.promises.reservations()
    return (
        checked("no accelerator is promised twice", _twice(every, facts)),
        checked("every hour of a reservation is charged once", _hours(tx, every)),
        checked("what is set aside is for hours of reservations", _set_aside(tx, facts, every)),
    )


def _twice(every: Sequence[Reservation], facts: Facts) -> Iterator[str]:
    """Of each reservation the seats it has now, and those that it had before they moved, as the log tells."""
    told: dict[str, list[tuple[int, Mapping[str, Any]]]] = defaultdict(list)
    for event in facts.reservation_events:
        data: Mapping[str, Any] = event.data
        told[data["reservation"]["id"]].append((event.at_ms, data["reservation"]))
    confirmed = [one for one in every if one.state is ReservationState.CONFIRMED]
    held = {one.id: list(_held(one, told.get(one.id, []))) for one in confirmed}
    for place, one in enumerate(confirmed):
        if sum(len(slot.indexes) for slot in one.seats) != one.nodes * one.per_node:
            yield f"{one.id} of {one.nodes} x {one.per_node} has other seats"
        for other in confirmed[place + 1 :]:
            if any(
                mine[0] < theirs[1] and theirs[0] < mine[1] and mine[2] & theirs[2]
                for mine in held[one.id]
                for theirs in held[other.id]
            ):
                yield f"{one.id} and {other.id} have seats in common at the same time"


def _held(one: Reservation, told: Sequence[tuple[int, Mapping[str, Any]]]) -> Iterator[Held]:
    """From when until when it had which seats; since the last event those that are stored."""
    for (at_ms, state), (until_ms, _) in pairwise(told):
        places = frozenset((seat["node"], index) for seat in state["seats"] for index in seat["indexes"])
        if state["state"] == "confirmed":
            yield max(at_ms, state["from_ms"]), min(until_ms, state["to_ms"]), places
    yield max(told[-1][0] if told else 0, one.from_ms), one.to_ms, frozenset(_places(one))


def _hours(tx: Transaction, every: Sequence[Reservation]) -> Iterator[str]:
    for one in every:
        until_ms = one.billed_ms or one.from_ms
        if one.billed_ms is not None and (until_ms > one.to_ms or (until_ms % _HOUR_MS and until_ms != one.to_ms)):
            yield f"{one.id} is said to be charged up to {until_ms}, no end of an hour of it"
        for hour in _pieces(one, until_ms):
            due = priced(one.nodes * one.per_node * (hour[1] - hour[0]), one.price_micros)
            name = f"trf-reserved-{one.id}-{hour[0]}"
            made = tx.ledger.transfer(name)
            if made is None:
                if due:
                    yield f"{name} is missing"
                continue
            yield from _judge(tx, one, hour, made, due)


def _judge(tx: Transaction, one: Reservation, hour: Hour, made: Transfer, due: int) -> Iterator[str]:
    sides = {
        True: ((f"rehearsal-use:{one.tenant}:{one.currency}",), "rehearsal-revenue"),
        False: (
            tuple(f"{kind}:{one.tenant}:{one.currency}" for kind in ("committed", "prepaid", "receivable")),
            "revenue",
        ),
    }
    debits, revenue = sides[one.rehearsal]
    credit = f"{revenue}:operator:{one.currency}:{one.type}/reserved"
    if made.debit not in debits or (made.credit, made.amount_micros, made.kind) != (credit, due, "fee"):
        yield f"{made.id} is {made.amount_micros} from {made.debit} to {made.credit}, due is {due} to {credit}"
    if not hour[0] <= made.at_ms < hour[1]:
        yield f"{made.id} is dated outside its hour"
    if made.debit.startswith("committed:"):
        aside = tx.ledger.transfer(f"trf-commit-{one.id}-{hour[0]}")
        if aside is None or aside.amount_micros != made.amount_micros:
            yield f"{made.id} is paid out of what was never set aside"


def _set_aside(tx: Transaction, facts: Facts, every: Sequence[Reservation]) -> Iterator[str]:
    accounts = [name for name in facts.balances if name.startswith("committed:")]
    if not accounts:
        return
    open_hours = {
        f"trf-commit-{one.id}-{hour[0]}": hour[1] > (one.billed_ms or one.from_ms)
        for one in every
        for hour in _pieces(one, one.to_ms)
    }
    left = 0
    for transfer in tx.ledger.transfers(accounts=accounts):
        if transfer.kind == "commitment":
            if transfer.id not in open_hours:
                yield f"{transfer.id} sets credit aside for no hour of a reservation"
            elif open_hours[transfer.id]:
                left += transfer.amount_micros
        elif not transfer.id.startswith("trf-reserved-"):
            yield f"{transfer.id} takes from what is set aside for reservations"
    kept = sum(facts.balances[name].credits_micros - facts.balances[name].debits_micros for name in accounts)
    if kept != left:
        yield f"{kept} micros are set aside, hours that are not charged yet come to {left}"


def _pieces(one: Reservation, until_ms: int) -> Iterator[Hour]:
    start_ms = one.from_ms
    while start_ms < min(until_ms, one.to_ms):
        end_ms = min(one.to_ms, start_ms - start_ms % _HOUR_MS + _HOUR_MS)
        yield start_ms, end_ms
        start_ms = end_ms


def _places(one: Reservation) -> set[tuple[str, int]]:
    return {(slot.node, index) for slot in one.seats for index in slot.indexes}
