"""What the API answers when asked to explain a number. Times are UTC epoch milliseconds, sums micro-units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from petahour.client.types import Allocation
from petahour.model.prices import SpotPrice


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
class LentPart:
    """How much of a usage record lay on lent seats of a reservation, and the owner's part in parts per million."""

    reservation: str
    share_ppm: int
    lent_ams: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Explanation:
    """The way from a number of the ledger to the job behind it; ``lent`` of a share of what lent seats earned."""

    subject: str
    id: str
    tenant: str | None
    movements: tuple[Movement, ...]
    pieces: tuple[Piece, ...]
    allocation: Allocation | None
    events: tuple[ToldEvent, ...]
    job: JobBrief | None
    lent: tuple[LentPart, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class BilledLine:
    """A line of an invoice, numbered from 1. ``posted_micros``: what the transfers come to that are bound to it."""

    number: int
    kind: str
    month: str
    project: str
    type: str
    tier: str
    accelerator_ms: int
    price_min_micros: int
    price_max_micros: int
    exact_micros: int
    amount_micros: int
    transfers: int
    posted_micros: int
    note: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class BilledEntry:
    """A transfer of a line; of a charge with its usage record, allocation and job."""

    cause: str
    kind: str
    at_ms: int
    amount_micros: int
    note: str
    charge: str
    price_book: str
    price_micros: int
    usage: str
    accelerator_ms: int
    allocation: str
    job: str
    start_ms: int
    end_ms: int


@dataclass(frozen=True, kw_only=True, slots=True)
class InvoiceExplanation:
    """What the lines of an invoice bill; ``entries`` are the first transfers of ``line``."""

    number: str
    month: str
    tenant: str
    currency: str
    net_micros: int
    line: int | None
    lines: tuple[BilledLine, ...]
    entries: tuple[BilledEntry, ...]
