"""The proof of a ledger: what was looked at, what holds, and the hash that stands for all of it."""

from __future__ import annotations

from dataclasses import dataclass

from petahour.billing.chain import GENESIS
from petahour.control.audit import Check, verify
from petahour.model.collector import CollectorPaused
from petahour.model.errors import ValidationError
from petahour.store.protocol import Counts, Store


@dataclass(frozen=True, kw_only=True, slots=True)
class Proof:
    """``head`` is the last transfer's hash: two ledgers with the same one are the same, row by row."""

    ok: bool
    counts: Counts
    head: str
    checks: tuple[Check, ...]


def prove(store: Store, *, anchor: str | None = None) -> Proof:
    """Check all of it in one consistent view. Raises ValidationError on an anchor that is no hash."""
    if anchor is not None and (len(anchor) != len(GENESIS) or not set(anchor) <= set("0123456789abcdef")):
        raise ValidationError(
            field="anchor",
            value=anchor,
            rule="a hash of 64 small hexadecimal digits",
            remedy="Give the head that an earlier proof showed.",
        )
    with CollectorPaused(), store.read() as tx:
        checks = verify(tx, anchor=anchor)
        return Proof(
            ok=all(check.ok for check in checks), counts=tx.ledger.counts(), head=tx.ledger.head(), checks=checks
        )
