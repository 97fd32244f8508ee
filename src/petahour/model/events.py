"""Events: the append-only record everything else can be recomputed from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class EventKind(StrEnum):
    """What happened. The names are the vocabulary of the log, of `describe`, and of the auditor."""

    NODE_REGISTERED = "node-registered"
    NODE_STATE = "node-state"
    JOB_SUBMITTED = "job-submitted"
    JOB_PLACED = "job-placed"
    JOB_STARTED = "job-started"
    JOB_STOPPING = "job-stopping"
    JOB_ENDED = "job-ended"
    JOB_STATE = "job-state"
    REPORT_CONFLICT = "report-conflict"
    HOURS_CLOSED = "hours-closed"
    TENANT_CREATED = "tenant-created"
    CREDIT_ADDED = "credit-added"
    CREDIT_MOVED = "credit-moved"
    TRANSFER_REVERSED = "transfer-reversed"
    HOLD_EXPIRED = "hold-expired"
    QUOTA_SET = "quota-set"
    INVOICE_ISSUED = "invoice-issued"
    INVOICE_PAID = "invoice-paid"
    INVOICE_VOIDED = "invoice-voided"
    CREDIT_NOTE_ISSUED = "credit-note-issued"
    PASS_MADE = "pass-made"
    PRICES_PUBLISHED = "prices-published"
    SPOT_POSTED = "spot-posted"
    CREDIT_WARNING = "credit-warning"
    CREDIT_OVERSPENT = "credit-overspent"
    TOPUP_REQUESTED = "topup-requested"
    TOPUP_DECIDED = "topup-decided"
    TERMS_SET = "terms-set"
    DUNNING_STEP = "dunning-step"
    BUDGET_ALERT = "budget-alert"
    WRITTEN_OFF = "written-off"
    BARRED = "barred"
    MAINTENANCE_SET = "maintenance-set"
    RESERVATION_SET = "reservation-set"
    RESERVATION_BILLED = "reservation-billed"
    RESERVATION_RENEWAL = "reservation-renewal"
    LENT_SHARED = "lent-shared"


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """One fact. ``at_ms`` is when it was true (an engine's evidence may precede its recording).

    ``seq`` is given by the store and grows in commit order; 0 until stored. ``data`` holds JSON values only.
    Job transitions carry ``before``, ``after`` and ``cause``; a submission the job's terms (``model.terms``). What
    moves prepaid credit carries ``available_micros``, the tenant's credit after it, and what of it was charged and
    what is held for the allocation now (``charged_micros``, ``held_micros``).
    """

    kind: EventKind
    at_ms: int
    seq: int = 0
    tenant: str | None = None
    job: str | None = None
    allocation: str | None = None
    node: str | None = None
    data: Mapping[str, object] = field(default_factory=dict)
