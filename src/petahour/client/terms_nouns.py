"""What the API answers about prices and terms of payment."""

from __future__ import annotations

from dataclasses import dataclass

from petahour.model.prices import SpotPrice


@dataclass(frozen=True, kw_only=True, slots=True)
class PriceRow:
    """What an accelerator-hour costs; ``banded``: less beyond a volume."""

    type: str
    tier: str
    micros: int
    banded: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class PricesAt:
    """The prices of a book at an instant; ``tenant``: with this tenant's own terms. Hour 0 is Monday, 00:00."""

    book: str
    currency: str
    at_ms: int
    hour_of_week: int
    utc_offset_ms: int
    tenant: str | None
    rows: tuple[PriceRow, ...]
    lent_share_ppm: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class TopupRequest:
    """A top-up that needs a second person."""

    tenant: str
    key: str
    amount_micros: int
    currency: str
    note: str
    requested_by: str
    requested_ms: int
    state: str
    decided_by: str
    decided_ms: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class TopupRule:
    """What a role may add at once, and what alone."""

    currency: str
    role: str
    most_micros: int
    alone_micros: int


@dataclass(frozen=True, kw_only=True, slots=True)
class SpotPrices:
    """The oldest first."""

    prices: tuple[SpotPrice, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Runway:
    """How long a tenant's credit lasts: ``exhausted_ms`` None where nothing burns."""

    tenant: str
    currency: str
    posted_micros: int
    held_micros: int
    limit_micros: int
    accrued_micros: int
    burn_micros: int
    left_micros: int
    overspent_micros: int
    reserved_micros: int = 0
    aside_micros: int = 0
    at_ms: int
    exhausted_ms: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Contact:
    """Where a tenant is told; ``secret`` only in the answer that made it."""

    id: str
    tenant: str
    channel: str
    target: str
    secret: str
    created_ms: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Notice:
    """A notice and its delivery."""

    id: str
    channel: str
    target: str
    subject: str
    body: str
    created_ms: int
    due_ms: int
    tries: int
    sent_ms: int | None
    failed_ms: int | None
    error: str


@dataclass(frozen=True, kw_only=True, slots=True)
class CreditTerms:
    """How a tenant pays, and the days from an invoice's due date to each consequence."""

    tenant: str
    postpaid: bool
    limit_micros: int
    remind_days: int
    stop_new_days: int
    stop_spot_days: int
    stop_all_days: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Budget:
    """What a project may spend in a calendar month, and what it has spent of it."""

    tenant: str
    project: str
    limit_micros: int
    hard: bool
    alerts: tuple[int, ...]
    spent_micros: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Dunning:
    """How far the collection of a tenant's overdue invoice has come."""

    tenant: str
    step: str
    since_ms: int


@dataclass(frozen=True, kw_only=True, slots=True)
class WrittenOff:
    """An invoice whose debt was given up."""

    number: str
    tenant: str
    state: str
    reason: str
