"""A quote locks its prices: whatever is published between quote, submission and run, the quoted book is billed."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.integration.terms.conftest import BEGIN_MS
from tests.integration.terms.plane import OPERATOR, Plane

from petahour.control.audit import audit
from petahour.control.audit.stream import audit_log
from petahour.control.explanation import Subject, explain
from petahour.control.quotes.make import make_quote
from petahour.model.allocations import EndKind
from petahour.model.errors import ConflictError
from petahour.model.jobs import Job, JobState
from petahour.model.quotes import Quote, QuoteRequest
from petahour.model.time import HOUR_MS, MINUTE_MS, to_iso
from petahour.model.usage import Charge
from petahour.store.sql.store import sqlite_url


def book(name: str, from_ms: int, price: str, pair: str = "cpu.on-demand") -> str:
    head = f'[[price_book]]\nid = "{name}"\ncurrency = "CNY"\neffective = {to_iso(from_ms)}\n'
    return head + f'prices.{pair} = "{price}"\n'


def quoted(plane: Plane, hours: float = 10.0) -> Quote:
    plane.context.live.refresh(plane.context.store, plane.context.settings)
    request = QuoteRequest(hours=hours, gang=1, types=("cpu",), tenant="acme")
    return make_quote(plane.context, OPERATOR, request)


def charges_of(plane: Plane, job: Job) -> list[Charge]:
    with plane.context.store.read() as tx:
        of_job = {record.id: record.job for record in tx.ledger.usage(tenant="acme", from_ms=0, to_ms=2**62)}
    return [charge for charge in plane.charges() if of_job[charge.usage] == job.id]


def unfaulted(plane: Plane) -> None:
    with plane.context.store.read() as tx:
        assert [check for check in audit(tx) if not check.ok] == []
        assert list(audit_log(tx.events.after(0, limit=10**6))) == []


def end_all(plane: Plane, kind: EndKind = EndKind.SUCCEEDED) -> None:
    for name in list(plane.engine.running):
        plane.engine.end(name, kind)
    plane.step()


def test_a_new_book_between_quote_and_run_does_not_change_the_price(plane: Plane) -> None:
    plane.publish(book("may-1", BEGIN_MS, "1.00"))
    plane.topup("100")
    quote = quoted(plane)
    assert quote.price_book == "may-1"
    plane.publish(book("may-2", BEGIN_MS + HOUR_MS, "2.00"))
    plane.advance(2 * HOUR_MS)
    job = plane.submit("promised", walltime="3h", quote=quote.id)
    other = plane.submit("other", walltime="3h")
    plane.step()
    plane.advance(4 * HOUR_MS, by_ms=HOUR_MS)
    end_all(plane)
    # The hand engine ends nothing at the walltime: the record that begins with its end is still promised.
    assert [(one.price_book, one.price_micros) for one in charges_of(plane, job)] == [("may-1", 1_000_000)] * 4
    assert {one.price_book for one in charges_of(plane, other)} == {"may-2"}
    first = charges_of(plane, job)[0]
    told = explain(plane.context, OPERATOR, Subject.CHARGE, first.id).pieces[0].book_reason
    assert told == f"promised by {quote.id} for 3h of running time"
    told = explain(plane.context, OPERATOR, Subject.CHARGE, charges_of(plane, other)[0].id).pieces[0].book_reason
    assert told == "in force when the job was first placed, and kept for its walltime"
    unfaulted(plane)


def test_without_a_walltime_the_promise_lasts_as_long_as_was_quoted_at_most(plane: Plane) -> None:
    plane.publish(book("may-1", BEGIN_MS, "1.00"))
    plane.topup("100")
    quote = quoted(plane, hours=2.0)
    plane.publish(book("may-2", BEGIN_MS + MINUTE_MS, "2.00"))
    plane.advance(HOUR_MS)
    job = plane.submit("open", quote=quote.id)
    plane.step()
    plane.advance(4 * HOUR_MS, by_ms=HOUR_MS)
    end_all(plane)
    books = [one.price_book for one in charges_of(plane, job)]
    assert books == ["may-1", "may-1", "may-1", "may-2"]
    unfaulted(plane)


def test_the_scheduler_knows_the_promised_price(plane: Plane) -> None:
    plane.publish(book("cheap", BEGIN_MS, "1.00"))
    plane.topup("3")
    quote = quoted(plane)
    plane.publish(book("dear", BEGIN_MS + MINUTE_MS, "50.00"))
    plane.advance(HOUR_MS)
    dear = plane.submit("dear", walltime="1h")
    cheap = plane.submit("cheap", walltime="1h", quote=quote.id)
    plane.step()
    assert (plane.job(cheap.id).state, plane.job(dear.id).state) == (JobState.RUNNING, JobState.QUEUED)
    end_all(plane)
    unfaulted(plane)


def test_a_dear_promise_waits_for_credit_and_is_not_placed_in_vain(plane: Plane) -> None:
    plane.publish(book("dear", BEGIN_MS, "50.00"))
    plane.topup("3")
    quote = quoted(plane)
    plane.publish(book("cheap", BEGIN_MS + MINUTE_MS, "1.00"))
    plane.advance(HOUR_MS)
    job = plane.submit("dear", walltime="1h", quote=quote.id)
    plane.step()
    assert plane.job(job.id).state is JobState.QUEUED
    hold = plane.context.live.holds[job.id]
    assert "credit" in hold.text
    plane.topup("60", key="pay-2")
    plane.step()
    assert plane.job(job.id).state is JobState.RUNNING
    end_all(plane)
    unfaulted(plane)


def test_no_walltime_fixes_prices_for_more_than_twice_the_time_quoted_or_a_year(plane: Plane) -> None:
    plane.publish(book("may-1", BEGIN_MS, "1.00"))
    plane.topup("100")
    small = plane.submit("small", walltime="300d", quote=quoted(plane, hours=2.0).id)
    large = plane.submit("large", walltime="300d", quote=quoted(plane, hours=24 * 500.0).id)
    open_ended = plane.submit("open", quote=quoted(plane, hours=24 * 500.0).id)
    promised = [job.spec.promise.for_ms for job in (small, large, open_ended) if job.spec.promise is not None]
    day_ms = 24 * HOUR_MS
    assert promised == [4 * HOUR_MS, 300 * day_ms, 366 * day_ms]


def test_what_was_quoted_is_sold_even_where_it_is_taken_off_the_list(plane: Plane) -> None:
    plane.publish(book("may-1", BEGIN_MS, "1.00"))
    plane.topup("30")
    quote = quoted(plane)
    plane.publish(book("may-2", BEGIN_MS + MINUTE_MS, "1.00", pair="a100-80g-sxm.on-demand"))
    plane.advance(HOUR_MS)
    job = plane.submit("old", walltime="1h", quote=quote.id)
    plane.step()
    assert plane.job(job.id).state is JobState.RUNNING
    plane.advance(HOUR_MS // 2)
    end_all(plane)
    assert [one.price_micros for one in charges_of(plane, job)] == [1_000_000]
    unfaulted(plane)


def test_an_expired_quote_is_refused_with_its_end_and_the_remedy(plane: Plane) -> None:
    plane.publish(book("may-1", BEGIN_MS, "1.00"))
    plane.topup("30")
    quote = quoted(plane)
    plane.advance(plane.context.settings.quote_validity_ms + MINUTE_MS)
    with pytest.raises(ConflictError) as caught:
        plane.submit("late", quote=quote.id)
    assert to_iso(quote.valid_until_ms) in caught.value.rule
    assert "new quote" in caught.value.remedy
    with plane.context.store.read() as tx:
        assert tx.jobs.unfinished() == []
    unfaulted(plane)


@settings(max_examples=12, deadline=None)
@given(
    reprices=st.lists(st.tuples(st.integers(1, 300), st.integers(1, 9)), max_size=4, unique_by=lambda pair: pair[0]),
    waits=st.integers(0, 120),
    walltime=st.integers(1, 120),
    runs=st.lists(st.integers(1, 90), min_size=1, max_size=3),
)
def test_running_time_within_the_promise_is_never_priced_by_another_book(
    reprices: list[tuple[int, int]], waits: int, walltime: int, runs: list[int]
) -> None:
    """``runs`` are minutes of attempts, each ended by a failure and the last one by success."""
    with tempfile.TemporaryDirectory() as directory:
        plane = Plane.open(sqlite_url(Path(directory) / "p.db"), Path(directory) / "data", now_ms=BEGIN_MS)
        try:
            plane.publish(book("first", BEGIN_MS, "5.00"))
            plane.topup("1000")
            quote = quoted(plane)
            for minute, price in sorted(reprices):
                plane.publish(book(f"at-{minute}", BEGIN_MS + minute * MINUTE_MS, f"{price}.50"))
            if waits:
                plane.advance(waits * MINUTE_MS)
            job = plane.submit("job", walltime=f"{walltime}m", retries=len(runs) - 1, quote=quote.id)
            plane.step()
            for number, minutes in enumerate(runs, start=1):
                plane.advance(minutes * MINUTE_MS)
                end_all(plane, EndKind.SUCCEEDED if number == len(runs) else EndKind.FAILED)
            assert plane.job(job.id).state is JobState.SUCCEEDED
            with plane.context.store.read() as tx:
                records = {record.id: record for record in tx.ledger.usage(tenant="acme", from_ms=0, to_ms=2**62)}
                began = {one.id: one.started_ms for one in tx.allocations.of_job(job.id)}
            ran_before_ms = 0
            for number, minutes in enumerate(runs, start=1):
                for charge in charges_of(plane, job):
                    record = records[charge.usage]
                    start_ms = began[record.allocation]
                    assert start_ms is not None
                    if not record.allocation.endswith(f"-{number}"):
                        continue
                    if ran_before_ms + record.start_ms - start_ms < walltime * MINUTE_MS:
                        assert (charge.price_book, charge.price_micros) == ("first", 5_000_000)
                ran_before_ms += minutes * MINUTE_MS
            unfaulted(plane)
        finally:
            plane.close()
