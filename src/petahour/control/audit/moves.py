"""Credit and the log: whatever people or reservations moved has its event, and every such event its transfer.

A movement is a row of words and numbers, made once of the transfer and once of what the event tells.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from petahour.model.events import Event, EventKind
from petahour.store.protocol import StoredTransfer

MOVES = "every movement of credit has its event"
TELLING = frozenset(
    {
        *(EventKind.CREDIT_ADDED, EventKind.CREDIT_MOVED, EventKind.TRANSFER_REVERSED, EventKind.HOLD_EXPIRED),
        *(EventKind.INVOICE_PAID, EventKind.INVOICE_VOIDED, EventKind.CREDIT_NOTE_ISSUED, EventKind.WRITTEN_OFF),
        *(EventKind.RESERVATION_BILLED, EventKind.RESERVATION_SET, EventKind.LENT_SHARED),
    }
)
_OF_INVOICES = ("trf-tax-", "trf-rounding-", "trf-offset-")
_ELSEWHERE = frozenset({"pending", "void", "post", "charge"})
_FROM = {"topup": "cash", "grant": "credits-granted", "service-credit": "service-credits"}
Row = tuple[str | int | None, ...]


class CreditMoves:
    """Takes in every transfer that posts no charge, and compares them with what the log tells."""

    def __init__(self, events: Iterable[Event]) -> None:
        self._told: Counter[Row] = Counter()
        self._made: Counter[Row] = Counter()
        self._sums: dict[Row, list[int]] = {}
        self._voided: set[str] = set()
        for event in events:
            self._tell(event)

    def enter(self, transfer: StoredTransfer) -> None:
        """A transfer, in any order. Holds have their allocation, and rounding, tax and offsets their invoice."""
        if transfer.kind in _ELSEWHERE:
            return
        kind, name, amount, tenant = transfer.kind, transfer.id, transfer.amount_micros, _tenant(transfer)
        if (
            kind in ("service-credit", "tax")
            and transfer.cause.startswith("crn-")
            and ":" + transfer.cause not in name
        ):
            self._add(("credit note", transfer.note, tenant), -amount)
        elif kind in (*_FROM, "refund"):
            self._made[name, kind, amount, transfer.debit, transfer.credit] += 1
        elif kind in ("payment", "write-off"):
            self._made[kind, transfer.cause, transfer.at_ms, amount, tenant] += 1
        elif kind == "reversal" and transfer.cause.startswith(_OF_INVOICES):
            if transfer.note.partition(" void: ")[0] not in self._voided:
                self._made[name, "reversal", transfer.cause] += 1
        elif kind == "reversal":
            self._made[name, "reversal", transfer.cause] += 1
        elif kind == "expire":
            self._made[name, "expire"] += 1
        elif kind == "commitment" or name.startswith("trf-reserved-"):
            self._made[name, amount, tenant] += 1
        elif name.startswith("trf-early-end-"):
            self._made[name, tenant] += 1
        elif kind == "lent-share":
            self._add(("shares", tenant, transfer.currency), amount)

    def faults(self) -> Iterator[str]:
        """Movements without their event, and events without their movement."""
        for key, (told, made, *counts) in self._sums.items():
            if (told, counts[0]) != (made, counts[1]):
                yield f"{_words(key)}: the events tell of {told} micros, the ledger has {made}"
        for row in self._made - self._told:
            yield f"{_words(row)} has no event that tells so"
        for row in self._told - self._made:
            yield f"an event tells of {_words(row)}, which is not in the ledger"

    def _tell(self, event: Event) -> None:
        data: Mapping[str, Any] = event.data
        tenant = event.tenant
        if event.kind in (EventKind.CREDIT_ADDED, EventKind.CREDIT_MOVED):
            what, currency = data.get("what", "topup"), data["currency"]
            own = f"prepaid:{tenant}:{currency}"
            other = f"{_FROM.get(what, 'cash')}:operator:{currency}"
            sides = (own, other) if what == "refund" else (other, own)
            self._told[data["transfer"], what, data["amount_micros"], *sides] += 1
        elif event.kind is EventKind.TRANSFER_REVERSED:
            self._told[data["transfer"], "reversal", data["reverses"]] += 1
        elif event.kind is EventKind.HOLD_EXPIRED:
            self._told[data["transfer"], "expire"] += 1
        elif event.kind in (EventKind.INVOICE_PAID, EventKind.WRITTEN_OFF):
            kind = "payment" if event.kind is EventKind.INVOICE_PAID else "write-off"
            self._told[kind, data["number"], event.at_ms, data["amount_micros"], tenant] += 1
        elif event.kind is EventKind.INVOICE_VOIDED:
            self._voided.add(data["number"])
        elif event.kind is EventKind.CREDIT_NOTE_ISSUED:
            self._add(("credit note", data["number"], tenant), data["total_micros"], told=True)
        elif event.kind is EventKind.LENT_SHARED:
            self._add(("shares", tenant, data["currency"]), data["amount_micros"], told=True, count=data["records"])
        elif event.kind is EventKind.RESERVATION_SET:
            if data["cause"].startswith("ended early by "):
                self._told[f"trf-early-end-{data['reservation']['id']}", tenant] += 1
        elif event.kind is EventKind.RESERVATION_BILLED and data["amount_micros"]:
            stem = {"set aside": "trf-commit", "charged": "trf-reserved"}[data["what"]]
            self._told[f"{stem}-{data['reservation']}-{data['start_ms']}", data["amount_micros"], tenant] += 1

    def _add(self, key: Row, amount: int, *, told: bool = False, count: int = 1) -> None:
        """Movements that one event tells of together. Of a credit note its parts are counted by their sum alone."""
        sums = self._sums.setdefault(key, [0, 0, 0, 0])
        sums[0 if told else 1] += amount
        if key[0] == "shares":
            sums[2 if told else 3] += count


def _tenant(transfer: StoredTransfer) -> str:
    owners = {account.split(":")[1] for account in (transfer.debit, transfer.credit)} - {"operator"}
    return next(iter(owners), "operator")


def _words(row: Row) -> str:
    return " ".join(str(part) for part in row)
