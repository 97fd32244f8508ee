"""The auditor: recomputes what should be stored from the raw events and transfers, by arithmetic of its own.

It shares no code with the use cases that wrote the rows it judges, so that a fault in them shows here.
"""

from __future__ import annotations

from collections.abc import Callable

from petahour.control.audit.check import Check, checked
from petahour.control.audit.facts import Facts, read_facts
from petahour.control.audit.holding import capacity_checks, life_checks
from petahour.control.audit.invoices import invoice_checks
from petahour.control.audit.jobs import job_checks
from petahour.control.audit.ledger import ledger_checks
from petahour.control.audit.log import log_check
from petahour.control.audit.reservations import reservation_checks
from petahour.control.audit.spot import spot_checks
from petahour.control.audit.usage import usage_checks
from petahour.model.errors import PetahourError, UnavailableError
from petahour.store.protocol import Transaction

__all__ = ["Check", "audit", "verify"]


def audit(tx: Transaction) -> tuple[Check, ...]:
    """Every check over one consistent view of the store.

    Rows that cannot be read as what they claim to be are themselves a finding, not an error. Raises
    UnavailableError when the database does not answer.
    """
    return _judged(
        tx,
        lambda facts: (
            *job_checks(facts),
            *capacity_checks(facts),
            *usage_checks(tx, facts),
            *spot_checks(facts),
            *ledger_checks(tx, facts),
            *reservation_checks(tx, facts),
            *invoice_checks(tx),
            log_check(tx),
        ),
    )


def verify(tx: Transaction, *, anchor: str | None = None) -> tuple[Check, ...]:
    """The checks of money alone: ledger, charges, usage records, and the allocation events they come from.

    ``anchor``: a hash noted down earlier, which has to be in the chain still. Rows are read in a stream, so that
    memory grows with allocations, not with usage. Raises UnavailableError when the database does not answer.
    """
    return _judged(
        tx,
        lambda facts: (
            *life_checks(facts),
            *usage_checks(tx, facts),
            *spot_checks(facts),
            *ledger_checks(tx, facts, anchor=anchor),
            *reservation_checks(tx, facts),
            *invoice_checks(tx),
        ),
    )


def _judged(tx: Transaction, judge: Callable[[Facts], tuple[Check, ...]]) -> tuple[Check, ...]:
    readable = "every row can be read"
    try:
        return (checked(readable, ()), *judge(read_facts(tx)))
    except UnavailableError:
        raise
    except (PetahourError, ValueError, KeyError, TypeError) as error:
        return (checked(readable, (f"{type(error).__name__}: {error}",)),)
