"""Lending: every spot charge on lent seats is shared with their owners, to the micro-unit, and nothing else is.

The shares of a charge that was taken back are taken back.

What was lent when is taken from the log, who lay where from placements, and the shares are computed in fractions.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from petahour.billing.book import unit_price
from petahour.control.audit.facts import EVER_MS, Facts
from petahour.control.audit.prices import priced
from petahour.control.posted import Posted
from petahour.model.jobs import Tier
from petahour.store.protocol import StoredCharge, StoredUsage, Transaction

SHARED = "every charge on lent seats is shared with their owners"
LENDINGS = "what is lent follows from the log"
_HOUR_MS = 3_600_000
_PPM = 1_000_000
Places = frozenset[tuple[str, int]]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Stretch:
    """What one event of a reservation lends until the next one."""

    reservation: str
    tenant: str
    currency: str
    rehearsal: bool
    share_ppm: int
    places: Places
    from_ms: int
    to_ms: int


@dataclass(frozen=True, kw_only=True, slots=True)
class _Due:
    """A share that has to be there."""

    owner: _Stretch
    type: str
    micros: int
    usage: str
    hour_ms: int


class LentShares:
    """Takes in usage records with their charges, and compares what they owe with the ledger."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._stretches = tuple(_stretches(facts))
        self._due: dict[str, _Due] = {}
        self._posted = Posted(facts.posted)

    def add(self, record: StoredUsage, charge: StoredCharge) -> None:
        """A record with its charge."""
        if record.tier != "spot" or not self._stretches or not record.billed_ams or not charge.amount_micros:
            return
        life = self._facts.lives.get(record.allocation)
        if life is None or not life.placed:
            return
        places = {(slot.node, index) for slot in life.slots for index in slot.indexes}
        exact: dict[str, Fraction] = defaultdict(Fraction)
        owners: dict[str, _Stretch] = {}
        for one in self._stretches:
            both_ms = min(record.end_ms, one.to_ms) - max(record.start_ms, one.from_ms)
            if both_ms > 0 and places & one.places:
                part = Fraction(both_ms * len(places & one.places), record.billed_ams)
                worth = self._worth(record, charge, one.currency)
                exact[one.reservation] += worth * part * Fraction(one.share_ppm, _PPM)
                owners[one.reservation] = one
        due = {name: int(micros) for name, micros in exact.items()}
        for currency in {one.currency for one in owners.values()}:
            names = [name for name in due if owners[name].currency == currency]
            missing = round(sum((exact[name] for name in names), Fraction(0))) - sum(due[name] for name in names)
            for name in sorted(names, key=lambda name: (due[name] - exact[name], name))[:missing]:
                due[name] += 1
        for name, micros in due.items():
            if micros:
                self._due[f"trf-lent-{record.id[4:]}-{name}"] = _Due(
                    owner=owners[name], type=record.type, micros=micros, usage=record.id, hour_ms=record.hour_ms
                )

    def _worth(self, record: StoredUsage, charge: StoredCharge, currency: str) -> int:
        """What is shared in a currency: the charge in its own, the price of spot by the book in force in another."""
        if currency == charge.currency:
            return charge.amount_micros or 0
        at_ms = record.start_ms
        begun = [book for book in self._facts.books.values() if book.currency == currency]
        begun = [book for book in begun if book.effective_ms <= at_ms]
        book = max(begun, key=lambda book: book.effective_ms, default=None)
        if book is None or (book.until_ms is not None and book.until_ms <= at_ms):
            return 0
        hourly = self._posted.at(currency, record.type, at_ms)
        price = unit_price(book, tenant="", type=record.type, tier=Tier.SPOT, at_ms=at_ms, posted_micros=hourly)
        return 0 if price is None else priced(record.billed_ams, price)

    def faults(self, tx: Transaction) -> Iterator[str]:
        """Shares that are missing, that are others than they should be, and that nothing causes."""
        due = dict(self._due)
        charged_back = self._charged_back(tx)
        kept: dict[str, str] = {}
        accounts = [name for name in self._facts.balances if name.split(":", 3)[-1].endswith("/lent")]
        for transfer in tx.ledger.transfers(accounts=accounts) if accounts else ():
            if transfer.kind == "reversal":
                kept.pop(transfer.cause, None)
                continue
            if transfer.cause in charged_back:
                kept[transfer.id] = transfer.cause
            wanted = due.pop(transfer.id, None)
            if wanted is None or transfer.kind != "lent-share":
                yield f"{transfer.id} shares what no usage record earned on lent seats"
                continue
            made = (transfer.debit, transfer.amount_micros, transfer.currency, transfer.cause)
            owner = wanted.owner
            kind = "rehearsal-revenue" if owner.rehearsal else "revenue"
            account = f"{kind}:operator:{owner.currency}:{wanted.type}/lent"
            if made != (account, wanted.micros, owner.currency, wanted.usage):
                yield f"{transfer.id} is {made}, due are {wanted.micros} micros from {account}"
            sides = ("rehearsal-use",) if owner.rehearsal else ("prepaid", "receivable")
            if transfer.credit not in {f"{side}:{owner.tenant}:{owner.currency}" for side in sides}:
                yield f"{transfer.id} goes to {transfer.credit}, the seats are {owner.tenant}'s"
            if not wanted.hour_ms <= transfer.at_ms < wanted.hour_ms + _HOUR_MS:
                yield f"{transfer.id} is dated outside its hour"
        for name in due:
            yield f"{name} is missing"
        for name, usage in kept.items():
            yield f"{name} is kept, the charge of {usage} was taken back"

    def _charged_back(self, tx: Transaction) -> set[str]:
        """The usage records of spot charges that were taken back: nothing else takes from revenue of spot."""
        accounts = [name for name in self._facts.balances if name.split(":", 3)[-1].endswith("/spot")]
        if not self._due or not accounts:
            return set()
        return {
            "use-" + one.cause.removeprefix("trf-chg-")
            for one in tx.ledger.transfers(accounts=accounts)
            if one.kind == "reversal"
        }

    def differences(self, tx: Transaction) -> Iterator[str]:
        """Stretches that are stored in another way than the log tells them."""
        stored = {
            (one.reservation, one.from_ms, one.to_ms, one.tenant, one.share_ppm, _places(one.seats))
            for one in tx.promises.lendings(from_ms=0, to_ms=EVER_MS)
        }
        told = {
            (one.reservation, one.from_ms, one.to_ms, one.tenant, one.share_ppm, one.places)
            for one in self._stretches
        }
        for name, from_ms, to_ms, *_ in sorted(stored ^ told, key=lambda one: one[:3]):
            yield f"{name} lends from {from_ms} to {to_ms} in the log or in its table, not in both"


def _stretches(facts: Facts) -> Iterator[_Stretch]:
    told: dict[str, list[tuple[int, Mapping[str, Any]]]] = defaultdict(list)
    for event in facts.reservation_events:
        data: Mapping[str, Any] = event.data
        told[data["reservation"]["id"]].append((event.at_ms, data["reservation"]))
    for name, states in told.items():
        for place, (at_ms, one) in enumerate(states):
            until_ms = states[place + 1][0] if place + 1 < len(states) else EVER_MS
            from_ms, to_ms = max(at_ms, one["from_ms"]), min(until_ms, one["to_ms"])
            if one["state"] == "confirmed" and one["lends"] and one.get("share_ppm") and from_ms < to_ms:
                yield _Stretch(
                    reservation=name,
                    tenant=one["tenant"],
                    currency=one["currency"],
                    rehearsal=one["rehearsal"],
                    share_ppm=one["share_ppm"],
                    places=frozenset((seat["node"], index) for seat in one["seats"] for index in seat["indexes"]),
                    from_ms=from_ms,
                    to_ms=to_ms,
                )


def _places(seats: Any) -> Places:
    return frozenset((slot.node, index) for slot in seats for index in slot.indexes)
