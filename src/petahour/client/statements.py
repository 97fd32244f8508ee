"""What the API answers about money and capacity. ``*_ams`` and bare sums of capacity are accelerator-milliseconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Balance:
    """A tenant's prepaid credit: posted, of which held for running jobs, and what is left."""

    tenant: str
    currency: str
    posted_micros: int
    held_micros: int
    available_micros: int


@dataclass(frozen=True, kw_only=True, slots=True)
class TransferReceipt:
    """The double entry a top-up made."""

    id: str
    debit: str
    credit: str
    amount_micros: int
    currency: str
    at_ms: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Topup:
    """A top-up's transfer and the balance after it."""

    transfer: TransferReceipt
    balance: Balance


@dataclass(frozen=True, kw_only=True, slots=True)
class Reversal:
    """The transfer that took another one back."""

    transfer: TransferReceipt


@dataclass(frozen=True, kw_only=True, slots=True)
class UsageRow:
    """A usage record with the amount it was charged at; ``charge`` is that charge's id, None where there is none."""

    id: str
    allocation: str
    job: str
    project: str
    type: str
    tier: str
    rehearsal: bool
    start_ms: int
    end_ms: int
    accelerators: int
    billed_ams: int
    waived_ams: int
    waive_reason: str | None
    amount_micros: int
    charge: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Usage:
    """A tenant's usage records of a month."""

    tenant: str
    month: str
    currency: str
    records: tuple[UsageRow, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class InvoiceLine:
    """The use of one project, type and tier, or (with a note) a fee or correction. Prices per accelerator-hour."""

    project: str
    type: str
    tier: str
    accelerator_ms: int
    price_min_micros: int
    price_max_micros: int
    amount_micros: int
    note: str = ""
    fee: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Invoice:
    """A tenant's month. ``lines`` sum to ``total_micros``; rehearsal is apart and never payable."""

    number: str
    tenant: str
    title: str
    month: str
    from_ms: int
    to_ms: int
    generated_ms: int
    closed: bool
    currency: str
    lines: tuple[InvoiceLine, ...]
    total_micros: int
    waived_ams: int
    rehearsal_lines: tuple[InvoiceLine, ...]
    rehearsal_total_micros: int
    opening_micros: int
    topups_micros: int
    closing_micros: int
    held_micros: int
    settled_micros: int = 0
    issued: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Price:
    """The price of one accelerator-hour."""

    type: str
    tier: str
    micros: int


@dataclass(frozen=True, kw_only=True, slots=True)
class PriceBook:
    """Prices of one currency from an instant on; the highest of the week where they change within it.

    ``document`` is the whole book, with the terms of single tenants, for the operator's people alone.
    """

    id: str
    currency: str
    effective_ms: int
    prices: tuple[Price, ...]
    until_ms: int | None = None
    utc_offset_ms: int = 0
    lent_share_ppm: int = 0
    published_ms: int = 0
    published_by: str = ""
    document: Mapping[str, object] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class CapacitySums:
    """Accelerator-milliseconds; the first five sum to ``capacity``."""

    billed: int
    waived: int
    open: int
    idle: int
    down: int
    capacity: int


@dataclass(frozen=True, kw_only=True, slots=True)
class CapacityCell(CapacitySums):
    """The sums of one hour and accelerator type, rehearsal apart."""

    hour_ms: int
    type: str
    rehearsal: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Conservation(CapacitySums):
    """Where every accelerator-millisecond went. ``ok`` when nothing is lost, doubled or unexplained."""

    ok: bool
    rehearsal: CapacitySums
    faults: tuple[str, ...]
    cells: tuple[CapacityCell, ...]
    real: CapacitySums | None = None
    from_ms: int | None = None
    to_ms: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditCheck:
    """One promise and whether it was kept."""

    name: str
    ok: bool
    detail: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Audit:
    """The recomputation of everything from the raw events and transfers."""

    ok: bool
    checks: tuple[AuditCheck, ...]
