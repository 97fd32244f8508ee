"""The log by itself: every event judged as it came, against what the events before it say."""

from __future__ import annotations

from collections.abc import Iterator

from petahour.control.audit.check import Check, checked
from petahour.control.audit.stream import audit_log
from petahour.model.events import Event
from petahour.store.protocol import Transaction

LOG = "every event is one that may follow those before it"
_PAGE = 5_000


def log_check(tx: Transaction) -> Check:
    """The stream auditor over the whole stored log."""
    return checked(LOG, (f"event {one.seq}: {one.rule}: {one.detail}" for one in audit_log(_events(tx))))


def _events(tx: Transaction) -> Iterator[Event]:
    seq = 0
    while found := tx.events.after(seq, limit=_PAGE):
        yield from found
        seq = found[-1].seq
