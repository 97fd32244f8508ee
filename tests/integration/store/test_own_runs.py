"""What later quotes learn from: a tenant's own fair runs of the same work, and nobody else's."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.integration.store import samples

from petahour.control.quotes.outcomes import ratios_of
from petahour.model.jobs import JobState
from petahour.model.quotes import Interval
from petahour.store.sql.store import SqlStore

WORK = samples.QUOTE.work


def ran(store: SqlStore, *, quoted_ms: int, rehearsal: bool) -> None:
    """A job of acme that took 10 ms on two accelerators, of which 8 were modelled."""
    line = replace(
        samples.QUOTE.lines[1],
        accelerators=2,
        run_ms=Interval(low=quoted_ms, expected=quoted_ms, high=quoted_ms),
        modelled_ms=8,
    )
    with store.write() as tx:
        samples.people_and_node(tx)
        tx.jobs.add(samples.job(1, JobState.SUCCEEDED), key=None, request_hash="h-1")
        tx.quotes.add(replace(samples.QUOTE, lines=(line,)))
        assert tx.quotes.use(samples.QUOTE.id, "job-1")
        tx.allocations.add(replace(samples.allocation(1), rehearsal=rehearsal))
        record = replace(samples.USAGE, rehearsal=rehearsal, billed_ams=20, waived_ams=0, waive_reason=None)
        tx.ledger.bill([samples.PRICED._replace(record=record)], at_ms=samples.HOUR)


def test_a_tenant_learns_from_its_own_runs_and_no_other_does(store: SqlStore) -> None:
    ran(store, quoted_ms=9, rehearsal=False)
    with store.read() as tx:
        assert ratios_of(tx, "acme", WORK, 500) == {"cpu": [1.25]}
        assert ratios_of(tx, "beta", WORK, 500) == {}
        assert ratios_of(tx, "acme", "another", 500) == {}


@pytest.mark.parametrize(("quoted_ms", "rehearsal"), [(9, True), (4, False), (21, False), (10**9, False)])
def test_what_is_no_fair_sample_teaches_nothing(store: SqlStore, quoted_ms: int, rehearsal: bool) -> None:
    ran(store, quoted_ms=quoted_ms, rehearsal=rehearsal)
    with store.read() as tx:
        assert ratios_of(tx, "acme", WORK, 500) == {}
