"""Refunds: only credit that was paid for went back as cash, and only what was neither used nor held then.

Credit is poured between cups: what is here, by where it came from, and what was used of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from petahour.store.protocol import StoredTransfer, Transaction

REFUNDS = "only credit that was paid for is paid back"
_GIVEN = ("grant", "service-credit", "lent-share")
_PAID = ("topup", "refund")


def refund_faults(tx: Transaction, refunded: Iterable[str]) -> Iterator[str]:
    """``refunded``: the accounts of credit that a refund was ever taken from. Refunds taken back count no more."""
    for account in sorted(refunded):
        _, tenant, currency = account.split(":")
        cups = _Cups(tenant)
        faults: dict[str, str] = {}
        for transfer, taken in tx.ledger.credit_moves(tenant, currency):
            free = None
            if transfer.kind == "refund":
                free = min(cups.here["paid"] + min(0, cups.used["invoices"]), cups.left() - cups.held.total())
            elif taken == "topup":
                free = cups.here["paid"] + cups.used["paid"]
            elif taken == "refund":
                faults.pop(transfer.cause, None)
            if free is not None and transfer.amount_micros > free:
                faults[transfer.id] = (
                    f"{transfer.id} pays back {transfer.amount_micros}, no more than {free} could be"
                )
            cups.pour(transfer, taken, account)
        yield from faults.values()


class _Cups:
    """A tenant's credit by where it came from, and what was used of each."""

    def __init__(self, tenant: str) -> None:
        self._tenant = tenant
        self.here = Counter(given=0, paid=0)
        self.used = Counter(given=0, paid=0, invoices=0)
        self.debt = 0
        self.held: Counter[str] = Counter()

    def left(self) -> int:
        return self.here.total() - self.debt

    def pour(self, transfer: StoredTransfer, taken: str | None, account: str) -> None:
        kind, amount = taken or transfer.kind, transfer.amount_micros
        self.held.pop(transfer.pending or "", None)
        if kind == "pending":
            self.held[transfer.id] = amount
        elif kind == "payment":
            if transfer.kind == "payment":
                self.used["invoices"] += amount
            else:
                self._bounce(amount)
        elif kind not in ("void", "expire"):
            note = transfer.kind == "service-credit" and transfer.id != f"trf-{kind}-{self._tenant}:{transfer.cause}"
            source = "given" if kind in _GIVEN and not note else "paid" if kind in _PAID else ""
            if transfer.credit == account:
                self._fill(source, amount)
            else:
                self._drain(source, amount, again=taken is not None)

    def _bounce(self, amount: int) -> None:
        """A payment of invoices did not come; where credit had come back of it, that was given."""
        free = min(max(0, self.used["invoices"]), amount)
        for cup in (self.here, self.used):
            out = min(cup["paid"], amount - free)
            cup["paid"] -= out
            cup["given"] += out
            amount -= out
        self.used["invoices"] -= amount

    def _fill(self, source: str, amount: int) -> None:
        old = min(self.debt, amount)
        self.debt -= old
        amount -= old
        if source:
            self.used[source] += old
            self.here[source] += amount
            return
        for name in ("given", "paid", "invoices"):
            back = min(max(0, self.used[name]), amount)
            self.used[name] -= back
            self.here["paid" if name == "invoices" else name] += back
            amount -= back
        self.here["given"] += amount

    def _drain(self, source: str, amount: int, *, again: bool) -> None:
        if source:
            out = min(self.here[source], amount)
            self.here[source] -= out
            amount -= out
            # Of what is not there any more, the use it paid for is paid for by what else there is.
            self.used[source] -= min(self.used[source], amount)
        others = ("paid", "given") if again and not source else ("given", "paid")
        for name in others:
            if name != source:
                part = min(self.here[name], amount)
                self.here[name] -= part
                self.used[name] += part
                amount -= part
        self.debt += amount
