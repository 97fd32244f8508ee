"""The auditor on a real store: a clean history passes, and every kind of tampering is seen by its check."""

from __future__ import annotations

import shutil
import sqlite3
from dataclasses import dataclass
from pathlib import Path

import pytest

from petahour.catalog import load_catalog
from petahour.control.audit import Check, audit
from petahour.control.cancel import cancel
from petahour.control.close_hours import close_hours
from petahour.control.commit import commit
from petahour.control.context import Context
from petahour.control.credit import add_credit
from petahour.control.fleet import register
from petahour.control.hear import hear
from petahour.control.ids import RandomIds
from petahour.control.keys import first_operator
from petahour.control.live import LiveState
from petahour.control.prices import load_price_books
from petahour.control.settings import Settings
from petahour.control.tenants import create_tenant
from petahour.control.transitions import submitted
from petahour.engines.protocol import Phase, Report
from petahour.model.allocations import EndKind
from petahour.model.jobs import Job, JobSpec, JobState, Tier
from petahour.model.resources import Gang, Node, Slot
from petahour.model.tenants import Caller, Role
from petahour.model.time import HOUR_MS, MINUTE_MS, SECOND_MS
from petahour.scheduler.plan import Place, Plan, Preempt
from petahour.store.sql.store import open_store, sqlite_url

OPERATOR = Caller(key="key-1", user="operator", role=Role.OPERATOR, tenant=None)
BEGIN_MS = 1_000_000 * HOUR_MS + 40 * MINUTE_MS
SETTINGS = Settings()


class HandClock:
    """A clock that a test turns."""

    def __init__(self, now_ms: int) -> None:
        self.at_ms = now_ms

    def now_ms(self) -> int:
        return self.at_ms


@dataclass
class House:
    """A control plane without a loop: the test plays the scheduler and the engine."""

    context: Context
    clock: HandClock

    def submit(
        self, name: str, *, nodes: int = 1, types: tuple[str, ...] = ("cpu",), tier: Tier = Tier.ON_DEMAND
    ) -> Job:
        job = Job(
            id=f"job-{name}",
            seq=0,
            tenant="acme",
            project="default",
            user="ann",
            spec=JobSpec(name=name, command=("true",), workdir="/", types=types, gang=Gang(nodes=nodes), tier=tier),
            state=JobState.QUEUED,
            submitted_ms=self.clock.now_ms(),
        )
        with self.context.store.write() as tx:
            job = tx.jobs.add(job, key=None, request_hash=name)
            submitted(tx, job)
        return job

    def place(self, name: str, *slots: Slot, type_name: str = "cpu") -> None:
        place = Place(job=f"job-{name}", type=type_name, slots=slots, borrowed=False)
        self.context.live.refresh(self.context.store, SETTINGS)
        done = commit(self.context, Plan(places=(place,), preempts=(), holds=()))
        assert done.refused == []

    def preempt(self, allocation: str, for_job: str) -> None:
        preempt = Preempt(allocation=allocation, for_job=for_job)
        assert commit(self.context, Plan(places=(), preempts=(preempt,), holds=())).stopping == [allocation]

    def report(self, allocation: str, phase: Phase, *, started_ms: int | None = None, **rest: object) -> None:
        report = Report(allocation=allocation, phase=phase, started_ms=started_ms, **rest)  # type: ignore[arg-type]
        with self.context.store.write() as tx:
            hear(tx, report, now_ms=self.clock.now_ms(), settings=SETTINGS)

    def run(self, allocation: str) -> int:
        self.clock.at_ms += 250
        self.report(allocation, Phase.RUNNING, started_ms=self.clock.at_ms)
        return self.clock.at_ms

    def end(self, allocation: str, kind: EndKind, started_ms: int | None, exit_code: int | None = 0) -> None:
        self.clock.at_ms += 1_333
        self.report(
            allocation,
            Phase.ENDED,
            started_ms=started_ms,
            ended_ms=self.clock.at_ms,
            end_kind=kind,
            exit_code=exit_code,
        )

    def close_hours(self, allocation: str) -> None:
        now_ms = self.clock.now_ms()
        with self.context.store.write() as tx:
            close_hours(tx, allocation, until_ms=now_ms - now_ms % HOUR_MS, now_ms=now_ms, settings=SETTINGS)


def live_history(path: Path) -> None:
    """A store with a bit of everything: ended, live, preempted, lost, cancelled, failed and rehearsed."""
    catalog = load_catalog()
    clock = HandClock(BEGIN_MS)
    store = open_store(sqlite_url(path))
    context = Context(
        store=store,
        engines={},
        catalog=catalog,
        prices=load_price_books(catalog),
        clock=clock,
        ids=RandomIds(),
        live=LiveState(),
        data_dir=path.parent,
        settings=SETTINGS,
    )
    house = House(context, clock)
    first_operator(context)
    cpu = [Node(name=f"n{n}", pool="cpu", engine="local", type="cpu", accelerators=4) for n in (1, 2)]
    a100 = Node(name="r1", pool="r", engine="local", type="a100-80g-sxm", accelerators=8, rehearsal=True)
    register(context, [*cpu, a100])
    create_tenant(context, OPERATOR, name="acme", title="", currency="CNY")
    add_credit(context, OPERATOR, "acme", amount="100.00", currency="CNY", key="pay-1", note="")
    clock.at_ms += SECOND_MS

    house.submit("ended")
    house.place("ended", Slot(node="n1", indexes=(0,)))
    house.end("alloc-ended-1", EndKind.SUCCEEDED, house.run("alloc-ended-1"))

    house.submit("spot", tier=Tier.SPOT)
    house.place("spot", Slot(node="n1", indexes=(0,)))
    spot_started = house.run("alloc-spot-1")
    house.submit("gang", nodes=2)
    house.preempt("alloc-spot-1", "job-gang")
    house.end("alloc-spot-1", EndKind.STOPPED, spot_started, 143)
    house.place("gang", Slot(node="n1", indexes=(0,)), Slot(node="n2", indexes=(3,)))
    house.run("alloc-gang-1")

    house.submit("lost")
    house.place("lost", Slot(node="n2", indexes=(0,)))
    house.end("alloc-lost-1", EndKind.LOST, house.run("alloc-lost-1"), None)
    house.place("lost", Slot(node="n2", indexes=(0,)))

    house.submit("failed")
    house.place("failed", Slot(node="n2", indexes=(1,)))
    house.end("alloc-failed-1", EndKind.FAILED, None, 1)

    house.submit("waiting")
    house.submit("gone")
    cancel(context, OPERATOR, "job-gone")

    house.submit("show", types=("a100-80g-sxm",))
    house.place("show", Slot(node="r1", indexes=(7,)), type_name="a100-80g-sxm")
    house.end("alloc-show-1", EndKind.SUCCEEDED, house.run("alloc-show-1"))

    house.submit("late")
    house.place("late", Slot(node="n1", indexes=(1,)))
    late_started = house.run("alloc-late-1")
    clock.at_ms += HOUR_MS
    house.close_hours("alloc-gang-1")
    house.close_hours("alloc-late-1")
    clock.at_ms += HOUR_MS
    cancel(context, OPERATOR, "job-late")
    house.end("alloc-late-1", EndKind.STOPPED, late_started, 143)
    store.close()


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("history") / "petahour.db"
    live_history(path)
    return path


def audited(path: Path) -> dict[str, Check]:
    store = open_store(sqlite_url(path))
    try:
        with store.read() as tx:
            return {check.name: check for check in audit(tx)}
    finally:
        store.close()


def tampered(history: Path, folder: Path, tampering: str) -> Path:
    """A copy of the history that somebody with every right to the file has changed, its guards taken off first."""
    path = folder / "petahour.db"
    shutil.copy(history, path)
    connection = sqlite3.connect(path)
    for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        connection.execute(f"DROP TRIGGER {name}")
    changed = connection.execute(tampering).rowcount
    connection.commit()
    connection.close()
    assert changed >= 1, "the tampering itself must find its row"
    return path


def test_a_clean_history_passes(history: Path) -> None:
    checks = audited(history)
    assert len(checks) >= 17
    assert [check for check in checks.values() if not check.ok] == []


JOBS, LEGAL, STATES = "no job is lost", "job histories are legal", "stored jobs agree with their history"
LIVES, STORED = "allocations begin once and end at most once", "stored allocations agree with the events"
ATTEMPTS, TWICE = "attempts are numbered one by one", "no job runs twice at once"
GIVEN, GANGS = "no accelerator is given twice", "gangs are whole"
HELD = "held accelerators are those of live allocations"
COVER, POLICY = "usage covers what was held, without gap or overlap", "usage is billed and waived by the policy"
CHARGES, POSTED = "every usage record has one charge of its amount", "every charge has one transfer of its amount"
REHEARSAL, TOPUPS = "rehearsals touch rehearsal accounts only", "every top-up has its event"
BALANCES, SUMS = "balances follow from the transfers", "debits equal credits"
HOLDS, READABLE = "holds are those of live allocations", "every row can be read"


@pytest.mark.parametrize(
    ("tampering", "seen_by"),
    [
        ("DELETE FROM jobs WHERE id = 'job-waiting'", JOBS),
        ("DELETE FROM events WHERE job = 'job-waiting'", JOBS),
        ("DELETE FROM events WHERE job = 'job-ended' AND kind = 'job-started'", LEGAL),
        ("UPDATE events SET data = json_set(data, '$.after', 'running') WHERE job = 'job-waiting'", LEGAL),
        ("UPDATE events SET data = json_set(data, '$.after', 'asleep') WHERE job = 'job-waiting'", LEGAL),
        (
            (
                "UPDATE events SET data = json_set(data, '$.before', 'queued') "
                "WHERE job = 'job-ended' AND kind = 'job-ended'"
            ),
            LEGAL,
        ),
        ("UPDATE jobs SET state = 'cancelled' WHERE id = 'job-waiting'", STATES),
        ("UPDATE jobs SET ended_ms = ended_ms + 1 WHERE id = 'job-ended'", STATES),
        ("UPDATE jobs SET attempt = 2 WHERE id = 'job-ended'", STATES),
        ("UPDATE jobs SET tenant = 'other' WHERE id = 'job-ended'", STATES),
        (
            (
                "INSERT INTO events (kind, at_ms, tenant, job, allocation, data) SELECT kind, at_ms, tenant, job, "
                "allocation, data FROM events WHERE kind = 'job-ended' AND job = 'job-ended'"
            ),
            LIVES,
        ),
        ("DELETE FROM events WHERE kind = 'job-placed' AND job = 'job-ended'", LIVES),
        ("UPDATE events SET at_ms = at_ms - 5000 WHERE kind = 'job-ended' AND job = 'job-ended'", LIVES),
        ("UPDATE allocations SET ended_ms = ended_ms + 1 WHERE id = 'alloc-ended-1'", STORED),
        ("UPDATE allocations SET started_ms = started_ms + 1 WHERE id = 'alloc-gang-1'", STORED),
        ("UPDATE allocations SET state = 'running' WHERE id = 'alloc-ended-1'", STORED),
        ("UPDATE allocations SET end_kind = 'lost' WHERE id = 'alloc-ended-1'", STORED),
        ("UPDATE allocations SET slots = '[[\"n2\",[0]]]' WHERE id = 'alloc-ended-1'", STORED),
        ("DELETE FROM allocations WHERE id = 'alloc-ended-1'", STORED),
        ("UPDATE allocations SET attempt = 3 WHERE id = 'alloc-lost-2'", ATTEMPTS),
        (
            (
                "UPDATE events SET at_ms = (SELECT at_ms FROM events WHERE allocation = 'alloc-lost-1' "
                "AND kind = 'job-started') WHERE allocation = 'alloc-lost-2' AND kind = 'job-placed'"
            ),
            TWICE,
        ),
        (
            (
                'UPDATE events SET data = json_set(data, \'$.slots\', json(\'[{"node":"n2","indexes":[0]}]\')) '
                "WHERE allocation = 'alloc-late-1' AND kind = 'job-placed'"
            ),
            GIVEN,
        ),
        ("UPDATE allocations SET slots = '[[\"n1\",[0]]]' WHERE id = 'alloc-gang-1'", GANGS),
        ("UPDATE allocations SET slots = '[[\"n1\",[0]],[\"n1\",[1]]]' WHERE id = 'alloc-gang-1'", GANGS),
        ("UPDATE allocations SET type = 'a10' WHERE id = 'alloc-ended-1'", GANGS),
        ("DELETE FROM held_accelerators WHERE allocation = 'alloc-gang-1' AND node = 'n2'", HELD),
        ("INSERT INTO held_accelerators VALUES ('n2', 2, 'alloc-ended-1')", HELD),
        ("UPDATE held_accelerators SET allocation = 'alloc-lost-2' WHERE allocation = 'alloc-gang-1'", HELD),
        ("DELETE FROM usage_records WHERE allocation = 'alloc-ended-1' AND billed_ams > 0", COVER),
        (
            (
                "UPDATE usage_records SET start_ms = start_ms - 1, waived_ams = waived_ams + accelerators "
                "WHERE allocation = 'alloc-gang-1' AND billed_ams > 0"
            ),
            COVER,
        ),
        ("UPDATE allocations SET metered_ms = metered_ms + 1 WHERE id = 'alloc-gang-1'", COVER),
        (
            (
                "UPDATE usage_records SET waived_ams = billed_ams, billed_ams = waived_ams "
                "WHERE allocation = 'alloc-ended-1'"
            ),
            POLICY,
        ),
        (
            (
                "UPDATE usage_records SET billed_ams = waived_ams, waived_ams = 0 "
                "WHERE allocation = 'alloc-lost-1' AND waive_reason = 'lost'"
            ),
            POLICY,
        ),
        ("UPDATE usage_records SET hour_ms = hour_ms + 3600000 WHERE allocation = 'alloc-ended-1'", POLICY),
        ("UPDATE usage_records SET rehearsal = 0 WHERE allocation = 'alloc-show-1'", POLICY),
        ("UPDATE usage_records SET tenant = 'other' WHERE allocation = 'alloc-ended-1'", POLICY),
        ("DELETE FROM charges WHERE id LIKE 'chg-alloc-ended-1-%' AND amount_micros > 0", CHARGES),
        ("UPDATE charges SET amount_micros = amount_micros + 1 WHERE id LIKE 'chg-alloc-ended-1-%'", CHARGES),
        ("UPDATE charges SET price_micros = 1 WHERE id LIKE 'chg-alloc-ended-1-%'", CHARGES),
        ("UPDATE charges SET tenant = 'other' WHERE id LIKE 'chg-alloc-ended-1-%'", CHARGES),
        ("DELETE FROM transfers WHERE id LIKE 'trf-chg-alloc-ended-1-%'", POSTED),
        ("UPDATE transfers SET amount_micros = amount_micros + 1 WHERE id LIKE 'trf-chg-alloc-ended-1-%'", POSTED),
        ("UPDATE transfers SET cause = 'use-nothing' WHERE id LIKE 'trf-chg-alloc-ended-1-%'", POSTED),
        (
            (
                "INSERT INTO transfers (id, kind, debit, credit, amount_micros, currency, at_ms, cause, note, hash) "
                "SELECT 'trf-again', kind, debit, credit, amount_micros, currency, at_ms, cause, note, hash "
                "FROM transfers WHERE id LIKE 'trf-chg-alloc-ended-1-%'"
            ),
            POSTED,
        ),
        (
            "UPDATE transfers SET debit = 'prepaid:acme:CNY' WHERE id LIKE 'trf-chg-alloc-show-1-%'",
            REHEARSAL,
        ),
        (
            (
                "UPDATE transfers SET debit = 'prepaid:acme:CNY', credit = 'revenue:operator:CNY:cpu/on-demand' "
                "WHERE id LIKE 'trf-chg-alloc-show-1-%'"
            ),
            REHEARSAL,
        ),
        ("UPDATE transfers SET amount_micros = amount_micros + 1 WHERE kind = 'topup'", TOPUPS),
        ("DELETE FROM transfers WHERE kind = 'topup'", TOPUPS),
        ("DELETE FROM events WHERE kind = 'credit-added'", TOPUPS),
        ("UPDATE accounts SET credits_micros = credits_micros + 1 WHERE account = 'prepaid:acme:CNY'", BALANCES),
        ("DELETE FROM accounts WHERE account = 'cash:operator:CNY'", BALANCES),
        ("INSERT INTO accounts VALUES ('prepaid:ghost:CNY', 'CNY', 5, 5, 0, 0)", BALANCES),
        ("DELETE FROM transfers WHERE kind = 'pending' AND cause = 'alloc-ended-1'", BALANCES),
        ("UPDATE accounts SET debits_micros = debits_micros + 1 WHERE account = 'cash:operator:CNY'", SUMS),
        ("UPDATE allocations SET hold_transfer = '' WHERE id = 'alloc-gang-1'", HOLDS),
        ("UPDATE allocations SET hold_transfer = 'trf-none' WHERE id = 'alloc-gang-1'", HOLDS),
        ("DELETE FROM transfers WHERE kind = 'void' AND cause = 'alloc-ended-1'", HOLDS),
        ("UPDATE accounts SET pending_debits_micros = 0 WHERE account = 'prepaid:acme:CNY'", HOLDS),
        ("UPDATE events SET data = '{}' WHERE kind = 'job-placed' AND job = 'job-ended'", READABLE),
        ("UPDATE events SET kind = 'job-vanished' WHERE job = 'job-waiting'", READABLE),
        ("UPDATE allocations SET state = 'odd' WHERE id = 'alloc-ended-1'", READABLE),
    ],
)
def test_tampering_is_seen(history: Path, tmp_path: Path, tampering: str, seen_by: str) -> None:
    path = tampered(history, tmp_path, tampering)
    found = audited(path)[seen_by]

    assert not found.ok
    assert found.detail


def test_a_check_shows_few_rows_and_counts_the_rest(history: Path, tmp_path: Path) -> None:
    path = tampered(history, tmp_path, "DELETE FROM events WHERE kind LIKE 'job-%'")
    detail = audited(path)[JOBS].detail
    assert detail.count("is stored but no event tells of it") == 5
    assert detail.endswith("and 4 more")
