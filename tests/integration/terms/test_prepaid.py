"""Prepaid credit to its end: warnings on the way, then the signal, the grace period and the stop, in this order."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import pytest
from tests.integration.terms.conftest import BEGIN_MS
from tests.integration.terms.plane import OPERATOR, Plane
from tests.integration.terms.test_prices import book, unfaulted

from petahour.control.credit import balance_of
from petahour.control.credit_watch import runway_for
from petahour.control.notices.contacts import add_contact, notices_of
from petahour.control.step import Reconciler
from petahour.engines.local.engine import LocalEngine
from petahour.model.events import Event, EventKind
from petahour.model.jobs import JobState
from petahour.model.notices import Channel
from petahour.model.time import HOUR_MS, MINUTE_MS, SECOND_MS
from petahour.store.sql.store import sqlite_url


def told(plane: Plane, kind: EventKind) -> list[Event]:
    with plane.context.store.read() as tx:
        return [event for event in tx.events.after(0, limit=100_000) if event.kind is kind]


def priced(plane: Plane, price: str) -> None:
    plane.publish(book("flat", plane.clock.at_ms, f'"{price}"'))


def test_warnings_come_once_each_and_again_after_a_topup(plane: Plane) -> None:
    priced(plane, "1.00")
    add_contact(plane.context, OPERATOR, "acme", channel=Channel.EMAIL, target="ops@acme.example")
    plane.topup("80")
    plane.submit("week", walltime="200h")
    plane.step()
    assert runway_for(plane.context, OPERATOR, "acme").exhausted_ms == BEGIN_MS + 80 * HOUR_MS
    plane.advance(7 * HOUR_MS, by_ms=HOUR_MS)
    assert told(plane, EventKind.CREDIT_WARNING) == []
    plane.advance(50 * HOUR_MS, by_ms=2 * HOUR_MS)
    assert [event.data["hours"] for event in told(plane, EventKind.CREDIT_WARNING)] == [72, 24]
    plane.topup("100", key="pay-2")
    plane.advance(HOUR_MS)
    plane.advance(53 * HOUR_MS, by_ms=4 * HOUR_MS)
    warned = told(plane, EventKind.CREDIT_WARNING)
    assert [event.data["hours"] for event in warned] == [72, 24, 72]
    assert warned[-1].data["exhausted_ms"] == BEGIN_MS + 180 * HOUR_MS
    notices = notices_of(plane.context, OPERATOR, "acme")
    assert len(notices) == 3
    assert {item.target for item in notices} == {"ops@acme.example"}
    body = json.loads(notices[0].body)
    assert body["kind"] == "credit-warning"
    assert "1.00 CNY an hour" in body["text"]


def test_work_runs_to_the_last_cent_then_signal_grace_stop(plane: Plane) -> None:
    priced(plane, "1.00")
    plane.engine.stop_takes_ms = 20 * SECOND_MS
    plane.topup("1.25")
    job = plane.submit("long", grace="20s", preemption_signal="SIGUSR1")
    plane.step()
    plane.advance(HOUR_MS)
    plane.advance(14 * MINUTE_MS, by_ms=MINUTE_MS)
    assert plane.engine.stops == []
    plane.advance(MINUTE_MS)
    (allocation, signal, grace_ms, at_ms) = plane.engine.stops[0]
    assert (signal, grace_ms, at_ms) == ("SIGUSR1", 20_000, BEGIN_MS + 75 * MINUTE_MS)
    assert allocation in plane.engine.running
    plane.advance(20 * SECOND_MS)
    assert plane.job(job.id).state is JobState.QUEUED
    (over,) = told(plane, EventKind.CREDIT_OVERSPENT)
    # Twenty seconds at one unit an hour, rounded up as a hold is; the ledger rounds the whole hour's use once.
    assert over.data["after_stop_ms"] == 20_000
    assert over.data["after_stop_micros"] == 5_556
    assert over.data["overspent_micros"] == 5_556
    assert balance_of(plane.context, OPERATOR, "acme").posted_micros == -5_556
    assert runway_for(plane.context, OPERATOR, "acme").overspent_micros == 5_556
    unfaulted(plane)
    plane.topup("10", key="pay-2")
    plane.step()
    assert plane.job(job.id).state is JobState.RUNNING


def test_credit_added_before_the_end_carries_the_job_on(plane: Plane) -> None:
    priced(plane, "1.00")
    plane.topup("1.25")
    job = plane.submit("long")
    plane.step()
    plane.advance(HOUR_MS + 10 * MINUTE_MS, by_ms=10 * MINUTE_MS)
    plane.topup("0.50", key="pay-2")
    plane.advance(30 * MINUTE_MS, by_ms=MINUTE_MS)
    assert plane.engine.stops == []
    plane.advance(5 * MINUTE_MS, by_ms=MINUTE_MS)
    assert [stop[3] for stop in plane.engine.stops] == [BEGIN_MS + 105 * MINUTE_MS]
    assert plane.job(job.id).preemptions == 1
    assert balance_of(plane.context, OPERATOR, "acme").posted_micros == 0
    unfaulted(plane)


def test_two_jobs_share_what_is_left(plane: Plane) -> None:
    priced(plane, "1.00")
    plane.topup("2.50")
    plane.submit("one")
    plane.submit("two")
    plane.step()
    plane.advance(2 * HOUR_MS, by_ms=5 * MINUTE_MS)
    # The first holds what is left of the second hour; the second is stopped at once, and nothing is overspent.
    assert sorted(stop[3] - BEGIN_MS for stop in plane.engine.stops) == [60 * MINUTE_MS, 90 * MINUTE_MS]
    assert balance_of(plane.context, OPERATOR, "acme").posted_micros == 0
    unfaulted(plane)


class LeapClock:
    """The host's clock, plus what a test leaps over."""

    def __init__(self) -> None:
        self.leaped_ms = 0

    @property
    def at_ms(self) -> int:
        return self.now_ms()

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000 + self.leaped_ms


TRAINING = """
import pathlib, signal, time
def save(*_):
    pathlib.Path("checkpoint").write_text("saved")
signal.signal(signal.SIGTERM, save)
pathlib.Path("began").write_text("yes")
while True:
    time.sleep(0.05)
"""


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 20
    while not path.exists():
        assert time.monotonic() < deadline, path
        time.sleep(0.02)


def test_a_real_process_saves_its_checkpoint_before_it_is_killed(tmp_path: Path) -> None:
    plane = Plane.open(sqlite_url(tmp_path / "petahour.db"), tmp_path / "data", now_ms=BEGIN_MS)
    clock = LeapClock()
    engine = LocalEngine(tmp_path / "engine", clock_ms=clock.now_ms)
    context = plane.context.__class__(
        **{name: getattr(plane.context, name) for name in plane.context.__slots__}
        | {"engines": {"local": engine}, "clock": clock}
    )
    plane.context, plane.clock, plane.loop = context, clock, Reconciler(context)  # type: ignore[assignment]
    try:
        plane.topup("0.28")  # an hour of a core at the sample prices
        job = plane.submit("real", command=(sys.executable, "-c", TRAINING), grace="1s")
        plane.step()
        home = tmp_path / "data" / "projects" / "acme" / "default"
        wait_for(home / "began")
        assert not (home / "checkpoint").exists()
        clock.leaped_ms += HOUR_MS
        plane.step()
        wait_for(home / "checkpoint")
        saved_s = time.monotonic()
        assert plane.job(job.id).state is JobState.STOPPING
        deadline = time.monotonic() + 20
        while plane.job(job.id).state is JobState.STOPPING:
            assert time.monotonic() < deadline
            time.sleep(0.05)
            plane.step()
        assert plane.job(job.id).state is JobState.QUEUED
        # It was killed only after its grace period of a second, long after it had saved.
        assert time.monotonic() - saved_s > 0.5
        assert len(told(plane, EventKind.CREDIT_OVERSPENT)) == 1
    finally:
        for known in engine.known():
            engine.stop(known, signal="SIGKILL", grace_ms=0)
        engine.close()
        plane.close()


@pytest.mark.parametrize("hours", [0, 1, 2])
def test_nothing_burns_nothing_ends(plane: Plane, hours: int) -> None:
    plane.topup("1")
    plane.advance(hours * HOUR_MS + 1)
    found = runway_for(plane.context, OPERATOR, "acme")
    assert (found.exhausted_ms, found.burn_micros, found.left_micros) == (None, 0, 1_000_000)
