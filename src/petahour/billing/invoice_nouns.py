"""The nouns of an invoice."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class InvoiceLine:
    """The use of one project, type and tier; or, with a ``note``, a reservation or ``fee``, or one correction of an
    earlier charge.

    ``accelerator_ms`` is billed time; a correction has none. The prices are the lowest and the highest of the
    charges in the line, in micro-units per accelerator-hour.
    """

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
    """A tenant's month. ``lines`` sum to ``total_micros``, and so does the ledger.

    ``closing`` = ``opening`` + ``topups`` + ``settled`` - ``total``, of the tenant's credit less what it owes;
    ``settled_micros`` is the tax and the rounding of invoices issued in the month. ``held_micros`` is
    the part of ``closing`` that is reserved for what runs. ``waived_ams`` was held and not billed. Rehearsal
    is apart and never payable. ``closed``: the month was over when this was generated. ``issued``: the number of
    the invoice that was made of the month; empty where none was yet.
    """

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
    settled_micros: int
    closing_micros: int
    held_micros: int
    issued: str = ""
