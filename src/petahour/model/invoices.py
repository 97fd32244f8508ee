"""The nouns of stored invoices: parties, terms, lines and documents."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

PPM = 1_000_000  # a rate of one, in parts per million


class InvoiceState(StrEnum):
    """A draft has no number and may be made anew; what was issued is never changed, only paid or voided."""

    DRAFT = "draft"
    ISSUED = "issued"
    PAID = "paid"
    VOID = "void"


class DocumentKind(StrEnum):
    """An invoice, or a credit note that takes a part of one back."""

    INVOICE = "invoice"
    CREDIT_NOTE = "credit-note"


class LineKind(StrEnum):
    """Use of the month itself; use of a month closed earlier; a correction of a charge; the tenant's share of what
    seats earned that it lent; anything else charged.
    """

    USE = "use"
    ADJUSTMENT = "adjustment"
    CORRECTION = "correction"
    FEE = "fee"
    LENT_SHARE = "lent-share"


@dataclass(frozen=True, kw_only=True, slots=True)
class Party:
    """A company as a document names it. ``address`` and ``bank`` are printed line by line."""

    name: str
    address: tuple[str, ...] = ()
    country: str = ""
    tax_id: str = ""
    email: str = ""
    phone: str = ""
    bank: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Seller:
    """Who issues invoices. ``prefix`` begins every number; ``terms_days`` holds where a tenant has no own terms.

    ``note`` is printed at the foot of every document.
    """

    party: Party
    prefix: str = "PH"
    terms_days: int = 30
    note: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class BillingTerms:
    """What a tenant's invoices need besides its use. Prices are net: tax of ``tax_rate_ppm`` comes on top.

    ``language`` is the first of its documents, ``en`` or ``zh``. Prevents a rate kept as a binary fraction.
    """

    tenant: str
    party: Party
    tax_name: str = "VAT"
    tax_rate_ppm: int = 0
    terms_days: int | None = None
    language: str = "en"


@dataclass(frozen=True, kw_only=True, slots=True)
class Posting:
    """One transfer between a tenant and the operator's revenue, with what it is for, as an invoice needs it.

    ``amount_micros`` is what the tenant pays, negative where he gets back; ``account`` is the tenant's. ``project``,
    ``job`` and the interval are empty where the transfer is not that of a charge.
    """

    account: str
    counter: str
    kind: str
    amount_micros: int
    at_ms: int
    cause: str
    note: str = ""
    project: str = ""
    type: str = ""
    tier: str = ""
    accelerator_ms: int = 0
    price_micros: int = 0
    job: str = ""
    start_ms: int = 0
    end_ms: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class PostedSum:
    """Postings of one kind between the same accounts, for the same project, type and tier, summed by the store.

    ``at_ms`` lies in the month they are of; ``transfers`` is how many they are. ``note`` and ``cause`` are those of
    transfers that are not of charges; charges have none, so that a month of millions is a handful of sums.
    """

    account: str
    counter: str
    kind: str
    at_ms: int
    note: str
    cause: str
    project: str
    type: str
    tier: str
    amount_micros: int
    accelerator_ms: int
    price_min_micros: int
    price_max_micros: int
    transfers: int


@dataclass(frozen=True, kw_only=True, slots=True)
class DocumentLine:
    """``exact_micros`` is what the ledger says, ``amount_micros`` that rounded to the currency's minor unit.

    ``month`` is the month of use. Prices are the lowest and the highest of the line, per accelerator-hour.
    """

    kind: LineKind
    month: str
    project: str
    type: str
    tier: str
    accelerator_ms: int
    price_min_micros: int
    price_max_micros: int
    exact_micros: int
    amount_micros: int
    note: str = ""


WRITTEN_OFF = "written off: "  # how the reason begins of an invoice whose debt was given up


@dataclass(frozen=True, kw_only=True, slots=True)
class InvoiceDocument:
    """An invoice or credit note as it is stored; a credit note's amounts are negative.

    ``net`` + ``tax`` = ``total``; lines sum to ``net``; ``rounding`` = ``net`` - ``exact``, what the ledger says.
    ``prepaid`` was taken from prepaid credit, ``paid`` came since, ``credited`` is what credit notes and a write-off
    took off (positive). Rehearsal lines are never payable. ``corrects`` is the number a credit note is for,
    ``line`` the line there (from 1), and ``key`` what its sender calls it.
    """

    id: str
    kind: DocumentKind
    tenant: str
    month: str
    from_ms: int
    to_ms: int
    currency: str
    seller: Party
    buyer: Party
    lines: tuple[DocumentLine, ...]
    net_micros: int
    exact_micros: int
    tax_name: str
    tax_rate_ppm: int
    tax_micros: int
    prepaid_micros: int
    rehearsal_lines: tuple[DocumentLine, ...] = ()
    rehearsal_micros: int = 0
    waived_ams: int = 0
    terms_days: int = 0
    language: str = "en"
    note: str = ""
    corrects: str = ""
    line: int = 0
    key: str = ""
    created_ms: int = 0
    state: InvoiceState = InvoiceState.DRAFT
    number: str = ""
    issued_ms: int | None = None
    due_ms: int | None = None
    paid_micros: int = 0
    credited_micros: int = 0
    settled_ms: int | None = None
    voided_ms: int | None = None
    reason: str = ""

    @property
    def total_micros(self) -> int:
        return self.net_micros + self.tax_micros

    @property
    def rounding_micros(self) -> int:
        return self.net_micros - self.exact_micros

    @property
    def due_micros(self) -> int:
        """What is still to be paid; nothing on a draft's prepaid part, a void document or a credit note."""
        if self.state is InvoiceState.VOID or self.kind is DocumentKind.CREDIT_NOTE:
            return 0
        return self.total_micros - self.prepaid_micros - self.paid_micros - self.credited_micros

    @property
    def written_off(self) -> bool:
        """Whether nothing is due any more because it was given up."""
        return self.state is InvoiceState.PAID and self.reason.startswith(WRITTEN_OFF)


@dataclass(frozen=True, kw_only=True, slots=True)
class MonthClose:
    """The promise that a tenant's month was closed: with an invoice, or with nothing to bill (``invoice`` empty)."""

    tenant: str
    month: str
    closed_ms: int
    invoice: str = ""
