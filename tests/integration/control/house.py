"""A control plane without a loop or engine: the test turns the clock, places, reports and closes hours."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from petahour.catalog import load_catalog
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
        self,
        name: str,
        *,
        nodes: int = 1,
        types: tuple[str, ...] = ("cpu",),
        tier: Tier = Tier.ON_DEMAND,
        **terms: object,
    ) -> Job:
        """``terms``: further fields of the job's specification."""
        spec = JobSpec(name=name, command=("true",), workdir="/", types=types, gang=Gang(nodes=nodes), tier=tier)
        job = Job(
            id=f"job-{name}",
            seq=0,
            tenant="acme",
            project="default",
            user="ann",
            spec=replace(spec, **terms),  # type: ignore[arg-type]  # Each term has its field's type.
            state=JobState.QUEUED,
            submitted_ms=self.clock.now_ms(),
        )
        with self.context.store.write() as tx:
            job = tx.jobs.add(job, key=None, request_hash=name)
            submitted(tx, job)
        return job

    def place(self, name: str, *slots: Slot, type_name: str = "cpu") -> None:
        place = Place(job=f"job-{name}", type=type_name, slots=slots, borrowed=True)
        self.context.live.refresh(self.context.store, SETTINGS)
        done = commit(self.context, Plan(places=(place,), preempts=(), holds=()))
        assert done.refused == []

    def preempt(self, allocation: str, for_job: str) -> None:
        preempt = Preempt(allocation=allocation, for_job=for_job)
        assert commit(self.context, Plan(places=(), preempts=(preempt,), holds=())).stopping == [allocation]

    def report(self, allocation: str, phase: Phase, *, started_ms: int | None = None, **rest: object) -> None:
        report = Report(allocation=allocation, phase=phase, started_ms=started_ms, **rest)  # type: ignore[arg-type]
        with self.context.store.write() as tx:
            hear(tx, report, now_ms=self.clock.now_ms(), settings=SETTINGS, prices=self.context.prices)

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
            close_hours(tx, [allocation], until_ms=now_ms - now_ms % HOUR_MS, now_ms=now_ms, settings=SETTINGS)


def open_house(url: str, folder: Path) -> House:
    """Two nodes of four cores, one of eight rehearsed accelerators, and a tenant with credit."""
    catalog = load_catalog()
    clock = HandClock(BEGIN_MS)
    context = Context(
        store=open_store(url),
        engines={},
        catalog=catalog,
        prices=load_price_books(catalog),
        clock=clock,
        ids=RandomIds(),
        live=LiveState(),
        data_dir=folder,
        settings=SETTINGS,
    )
    first_operator(context)
    cpu = [Node(name=f"n{n}", pool="cpu", engine="local", type="cpu", accelerators=4) for n in (1, 2)]
    a100 = Node(name="r1", pool="r", engine="local", type="a100-80g-sxm", accelerators=8, rehearsal=True)
    register(context, [*cpu, a100])
    create_tenant(context, OPERATOR, name="acme", title="", currency="CNY")
    add_credit(context, OPERATOR, "acme", amount="100.00", currency="CNY", key="pay-1", note="")
    clock.at_ms += SECOND_MS
    return House(context, clock)


def live_history(path: Path) -> None:
    """A store with a bit of everything: ended, live, preempted, lost, cancelled, failed and rehearsed."""
    house = open_house(sqlite_url(path), path.parent)
    context, clock, store = house.context, house.clock, house.context.store

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
