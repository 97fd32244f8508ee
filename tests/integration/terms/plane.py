"""A control plane on a clock that the test turns, with an engine that does what the test says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from petahour.catalog import load_catalog
from petahour.control.context import Context
from petahour.control.credit import add_credit
from petahour.control.fleet import register
from petahour.control.ids import RandomIds
from petahour.control.keys import first_operator
from petahour.control.live import LiveState
from petahour.control.prices import load_price_books
from petahour.control.publish import adopt_books, publish
from petahour.control.request import JobRequest
from petahour.control.settings import Settings
from petahour.control.step import Reconciler
from petahour.control.submit import submit
from petahour.control.tenants import create_tenant
from petahour.engines.protocol import Launch, LogChunk, Phase, Report
from petahour.model.allocations import EndKind
from petahour.model.jobs import Job
from petahour.model.resources import Node
from petahour.model.tenants import Caller, Role
from petahour.model.usage import Charge
from petahour.store.sql.store import open_store

OPERATOR = Caller(key="key-1", user="operator", role=Role.OPERATOR, tenant=None)
FINANCE = Caller(key="key-2", user="fin", role=Role.FINANCE, tenant=None)


class HandClock:
    """A clock that a test turns."""

    def __init__(self, now_ms: int) -> None:
        self.at_ms = now_ms

    def now_ms(self) -> int:
        return self.at_ms


@dataclass
class HandEngine:
    """Starts at once; notes each stop with its instant; ends what it stopped after ``stop_takes_ms``."""

    clock: HandClock
    name: str = "local"
    stop_takes_ms: int = 0
    running: dict[str, int] = field(default_factory=dict)
    stops: list[tuple[str, str, int, int]] = field(default_factory=list)
    told: list[Report] = field(default_factory=list)

    def start(self, launch: Launch) -> None:
        if launch.allocation not in self.running:
            now_ms = self.clock.now_ms()
            self.running[launch.allocation] = now_ms
            self.told.append(Report(allocation=launch.allocation, phase=Phase.RUNNING, started_ms=now_ms))

    def stop(self, allocation: str, *, signal: str, grace_ms: int) -> None:
        if allocation in self.running and allocation not in {stop[0] for stop in self.stops}:
            self.stops.append((allocation, signal, grace_ms, self.clock.now_ms()))

    def end(self, allocation: str, kind: EndKind = EndKind.SUCCEEDED) -> None:
        started_ms = self.running.pop(allocation)
        now_ms = self.clock.now_ms()
        self.told.append(
            Report(
                allocation=allocation,
                phase=Phase.ENDED,
                started_ms=started_ms,
                ended_ms=now_ms,
                end_kind=kind,
                exit_code=0,
            )
        )

    def poll(self, *, full: bool = False) -> Sequence[Report]:
        for allocation, _, _, at_ms in self.stops:
            if allocation in self.running and self.clock.now_ms() >= at_ms + self.stop_takes_ms:
                self.end(allocation, EndKind.STOPPED)
        told, self.told = self.told, []
        return told

    def known(self) -> set[str]:
        return set(self.running)

    def forget(self, allocation: str) -> None:
        self.running.pop(allocation, None)

    def log(self, allocation: str, rank: int, *, offset: int, limit_bytes: int) -> LogChunk:
        return LogChunk(text="", next_offset=0, complete=True)

    def nodes(self) -> Sequence[Node] | None:
        return ()

    def drain(self, node: str, reason: str) -> None:
        return None

    def resume(self, node: str) -> None:
        return None

    def subscribe(self, listener: object) -> None:
        return None

    def close(self) -> None:
        return None


@dataclass
class Plane:
    """The parts, and what a test does with them."""

    context: Context
    clock: HandClock
    engine: HandEngine
    loop: Reconciler

    @classmethod
    def open(cls, url: str, data_dir: Path, *, now_ms: int, cpus: int = 8, currency: str = "CNY") -> Plane:
        catalog, clock = load_catalog(), HandClock(now_ms)
        store, engine = open_store(url), HandEngine(clock)
        context = Context(
            store=store,
            engines={"local": engine},
            catalog=catalog,
            prices=adopt_books(store, load_price_books(catalog), now_ms, sample=True),
            clock=clock,
            ids=RandomIds(),
            live=LiveState(),
            data_dir=data_dir,
            settings=Settings(settle_ms=0),
        )
        if not first_operator(context):
            raise AssertionError("the database was not empty")
        register(context, [Node(name="n1", pool="cpu", engine="local", type="cpu", accelerators=cpus)])
        create_tenant(context, OPERATOR, name="acme", title="", currency=currency)
        return cls(context=context, clock=clock, engine=engine, loop=Reconciler(context))

    def publish(self, text: str) -> None:
        publish(self.context, OPERATOR, text)

    def topup(self, amount: str, key: str = "pay-1", tenant: str = "acme") -> None:
        with self.context.store.read() as tx:
            owner = tx.people.tenant(tenant)
        assert owner is not None
        add_credit(self.context, OPERATOR, tenant, amount=amount, currency=owner.currency, key=key, note="")

    def submit(self, name: str = "train", **rest: object) -> Job:
        wanted: dict[str, object] = {"command": ("true",), "tenant": "acme", "name": name, **rest}
        request = JobRequest(**wanted)  # type: ignore[arg-type]
        self.context.live.refresh(self.context.store, self.context.settings)
        return submit(self.context, OPERATOR, request)[0]

    def step(self) -> None:
        """Steps until there is nothing left to decide and everything started has been heard of."""
        for _ in range(4):
            self.loop.step()

    def advance(self, span_ms: int, *, by_ms: int = 0) -> None:
        """Let the time pass, in steps."""
        end_ms = self.clock.at_ms + span_ms
        while self.clock.at_ms < end_ms:
            self.clock.at_ms = min(end_ms, self.clock.at_ms + (by_ms or span_ms))
            self.loop.step()
            self.loop.step()

    def job(self, job_id: str) -> Job:
        with self.context.store.read() as tx:
            found = tx.jobs.get(job_id)
        assert found is not None
        return found

    def charges(self, tenant: str = "acme") -> list[Charge]:
        with self.context.store.read() as tx:
            return list(tx.ledger.charges(tenant=tenant, from_ms=0, to_ms=2**62))

    def close(self) -> None:
        self.context.store.close()
