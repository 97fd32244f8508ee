"""The auditor: recomputes what should be stored from the raw events and transfers, by arithmetic of its own.

It shares no code with the use cases that wrote the rows it judges, so that a fault in them shows here.
"""

from __future__ import annotations

from petahour.control.audit.check import Check, checked
from petahour.control.audit.facts import Facts, read_facts
from petahour.control.audit.holding import capacity_checks
from petahour.control.audit.jobs import job_checks
from petahour.control.audit.ledger import ledger_checks
from petahour.control.audit.usage import usage_checks
from petahour.model.errors import PetahourError, UnavailableError
from petahour.store.protocol import Transaction

__all__ = ["Check", "audit"]


def audit(tx: Transaction) -> tuple[Check, ...]:
    """Every check over one consistent view of the store.

    Rows that cannot be read as what they claim to be are themselves a finding, not an error. Raises
    UnavailableError when the database does not answer.
    """
    facts = _read(tx)
    if isinstance(facts, Check):
        return (facts,)
    return (
        checked("every row can be read", ()),
        *job_checks(facts),
        *capacity_checks(facts),
        *usage_checks(facts),
        *ledger_checks(facts),
    )


def _read(tx: Transaction) -> Facts | Check:
    try:
        return read_facts(tx)
    except UnavailableError:
        raise
    except (PetahourError, ValueError, KeyError, TypeError) as error:
        return checked("every row can be read", (f"{type(error).__name__}: {error}",))
