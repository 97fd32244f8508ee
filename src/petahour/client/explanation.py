"""What the API answers when asked to explain a number. Times are UTC epoch milliseconds, sums micro-units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from petahour.client.terms_nouns import SpotPrice
from petahour.client.types import Allocation


@dataclass(frozen=True, kw_only=True, slots=True)
class Transfer:
    """A double-entry posting; ``pending`` names the hold that it closes."""

    id: str
    kind: str
    debit: str
    credit: str
    amount_micros: int
    currency: str
    at_ms: int
    cause: str
    pending: str
    note: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Movement:
    """A transfer, and the invoice that bills it."""

    transfer: Transfer
    invoice: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class UsedPiece:
    """A usage record in full."""

    id: str
    start_ms: int
    end_ms: int
    hour_ms: int
    accelerators: int
    billed_ams: int
    waived_ams: int
    type: str
    tier: str
    rehearsal: bool
    waive_reason: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Charge:
    """A charge in full: its price and the price book that says so."""

    id: str
    price_book: str
    price_micros: int
    amount_micros: int
    currency: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Piece:
    """A usage record, its charge, and what the charge moved; ``posted``: the posted spot price of its hour."""

    usage: UsedPiece
    charge: Charge | None
    book_effective_ms: int | None
    movements: tuple[Movement, ...]
    posted: SpotPrice | None = None
    book_reason: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ToldEvent:
    """An event of the log with its data."""

    seq: int
    kind: str
    at_ms: int
    data: Mapping[str, object]


@dataclass(frozen=True, kw_only=True, slots=True)
class JobBrief:
    """Whose work it was."""

    id: str
    name: str
    tenant: str
    project: str
    user: str
    state: str
    command: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Explanation:
    """The way from a number of the ledger to the job behind it."""

    subject: str
    id: str
    tenant: str | None
    movements: tuple[Movement, ...]
    pieces: tuple[Piece, ...]
    allocation: Allocation | None
    events: tuple[ToldEvent, ...]
    job: JobBrief | None
