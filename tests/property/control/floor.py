"""A control plane over a real store, with a clock that the test turns and an engine that does as it is told."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from petahour.catalog import load_catalog
from petahour.control.audit import audit
from petahour.control.cancel import cancel
from petahour.control.context import Context
from petahour.control.credit import add_credit
from petahour.control.fleet import drain, register, resume
from petahour.control.keys import first_operator
from petahour.control.live import LiveState
from petahour.control.maintenance import plan_maintenance
from petahour.control.prices import load_price_books
from petahour.control.request import JobRequest
from petahour.control.settings import Settings
from petahour.control.step import Reconciler
from petahour.control.submit import submit
from petahour.control.tenants import create_tenant, set_quota
from petahour.engines.protocol import Launch, LogChunk, Phase, Report
from petahour.model.allocations import EndKind
from petahour.model.errors import ConflictError
from petahour.model.events import Event
from petahour.model.jobs import Job
from petahour.model.resources import Node
from petahour.model.tenants import Caller, Role
from petahour.model.time import HOUR_MS, MINUTE_MS, SECOND_MS
from petahour.store.sql.store import SqlStore, open_store, sqlite_url

OPERATOR = Caller(key="key-1", user="operator", role=Role.OPERATOR, tenant=None)
BEGIN_MS = 1_000_000 * HOUR_MS + 40 * MINUTE_MS
A100 = "a100-80g-sxm"
NODES = (
    *(Node(name=f"cpu-{n}", pool="cpu", engine="script", type="cpu", accelerators=4, switch=f"s{n}") for n in (1, 2)),
    Node(name="show-1", pool="show", engine="script", type=A100, accelerators=4, rehearsal=True),
    Node(name="show-2", pool="show", engine="script", type=A100, accelerators=4, rehearsal=True),
)
CATALOG = load_catalog()
PRICES = load_price_books(CATALOG)


class HandClock:
    """A clock that a test turns."""

    def __init__(self, at_ms: int) -> None:
        self.at_ms = at_ms

    def now_ms(self) -> int:
        return self.at_ms


class NumberedIds:
    """Ids that are the same in every run."""

    def __init__(self) -> None:
        self._count = 0

    def new(self, kind: str) -> str:
        self._count += 1
        return f"{kind}-{self._count}"


@dataclass
class Gang:
    """One allocation as the engine knows it."""

    launch: Launch
    started_ms: int
    ends_ms: int
    kind: EndKind = EndKind.SUCCEEDED


class ScriptedEngine:
    """Every gang starts at once, runs as long as its command says (``["run", MILLISECONDS, KIND]``) and its walltime
    lets it, and takes a second to stop."""

    name = "script"

    def __init__(self, clock: HandClock) -> None:
        self._clock = clock
        self.gangs: dict[str, Gang] = {}
        self._told: dict[str, Phase] = {}

    def start(self, launch: Launch) -> None:
        if launch.allocation not in self._told:
            now_ms = self._clock.now_ms()
            length_ms, kind = int(launch.command[1]), EndKind(launch.command[2])
            if launch.walltime_ms is not None and length_ms > launch.walltime_ms:
                length_ms, kind = launch.walltime_ms, EndKind.WALLTIME
            self.gangs[launch.allocation] = Gang(launch, now_ms, now_ms + length_ms, kind)
            self._told[launch.allocation] = Phase.STARTING

    def stop(self, allocation: str, *, signal: str, grace_ms: int) -> None:
        gang = self.gangs.get(allocation)
        if gang is not None and gang.kind is not EndKind.STOPPED:
            ends_ms = min(gang.ends_ms, self._clock.now_ms() + SECOND_MS)
            self.gangs[allocation] = replace(gang, ends_ms=ends_ms, kind=EndKind.STOPPED)

    def poll(self, *, full: bool = False) -> Sequence[Report]:
        reports = []
        for name, gang in list(self.gangs.items()):
            ended = gang.ends_ms <= self._clock.now_ms()
            phase = Phase.ENDED if ended else Phase.RUNNING
            if full or self._told[name] is not phase:
                self._told[name] = phase
                code = {EndKind.SUCCEEDED: 0, EndKind.FAILED: 3}.get(gang.kind) if ended else None
                reports.append(
                    Report(
                        allocation=name,
                        phase=phase,
                        started_ms=gang.started_ms,
                        ended_ms=gang.ends_ms if ended else None,
                        end_kind=gang.kind if ended else None,
                        exit_code=code,
                    )
                )
        return reports

    def forget(self, allocation: str) -> None:
        self.gangs.pop(allocation, None)

    def known(self) -> frozenset[str]:
        return frozenset(self.gangs)

    def log(self, allocation: str, rank: int, *, offset: int, limit_bytes: int) -> LogChunk:
        return LogChunk(text="", next_offset=offset, complete=True)

    def nodes(self) -> Sequence[Node] | None:
        return ()

    def drain(self, node: str, reason: str) -> None:
        """Its nodes are declared."""

    def resume(self, node: str) -> None:
        """Its nodes are declared."""

    def subscribe(self, wake: object) -> None:
        """It is polled."""

    def close(self) -> None:
        """It has nothing open."""


class HandPlane:
    """A control plane that a test steps, kills and starts again."""

    def __init__(self, home: Path, settings: Settings | None = None, store: SqlStore | None = None) -> None:
        self.clock = HandClock(BEGIN_MS)
        self.engine = ScriptedEngine(self.clock)
        self.store: SqlStore = store or open_store(sqlite_url(home / "petahour.db"))
        self._home, self._settings, self._ids = home, settings or Settings(), NumberedIds()
        self.start()
        first_operator(self.context)
        register(self.context, NODES)
        for tenant in ("acme", "beta", "coop"):
            create_tenant(self.context, OPERATOR, name=tenant, title="", currency="CNY")
            self.credit(tenant, "1000.00", "first")
        self.step()

    def start(self) -> None:
        """As after kill -9: what was in memory is gone."""
        self.context = Context(
            store=self.store,
            engines={"script": self.engine},
            catalog=CATALOG,
            prices=PRICES,
            clock=self.clock,
            ids=self._ids,
            live=LiveState(),
            data_dir=self._home,
            settings=self._settings,
        )
        self.reconciler = Reconciler(self.context)

    def step(self, after_ms: int = 0) -> None:
        self.clock.at_ms += after_ms
        self.reconciler.step()

    def submit(self, tenant: str = "acme", *, run_ms: int = 60_000, kind: str = "succeeded", **rest: object) -> Job:
        command = ("run", str(run_ms), kind)
        request = JobRequest(command=command, tenant=tenant, **rest)  # type: ignore[arg-type]
        # What can never run is refused by what was last looked at.
        self.context.live.refresh(self.store, self._settings)
        return submit(self.context, OPERATOR, request)[0]

    def cancel(self, job: str) -> None:
        with suppress(ConflictError):  # It has ended meanwhile.
            cancel(self.context, OPERATOR, job)

    def credit(self, tenant: str, amount: str, key: str) -> None:
        add_credit(self.context, OPERATOR, tenant, amount=amount, currency="CNY", key=key, note="")

    def quota(self, tenant: str, type_name: str, nominal: int, limit: int | None) -> None:
        set_quota(self.context, OPERATOR, tenant, accelerator_type=type_name, nominal=nominal, borrowing_limit=limit)

    def drain(self, node: str) -> None:
        drain(self.context, OPERATOR, node, reason="fan")

    def resume(self, node: str) -> None:
        resume(self.context, OPERATOR, node)

    def maintain(self, nodes: str, after_ms: int, for_ms: int, *, empties: bool = False) -> None:
        from_ms = self.clock.at_ms + after_ms
        plan_maintenance(
            self.context, OPERATOR, [nodes], from_ms=from_ms, to_ms=from_ms + for_ms, reason="", empties=empties
        )

    def job(self, job: str) -> Job:
        with self.store.read() as tx:
            found = tx.jobs.get(job)
        assert found is not None
        return found

    def log(self) -> list[Event]:
        with self.store.read() as tx:
            return list(tx.events.after(0, limit=1_000_000))

    def require_sound(self) -> None:
        with self.store.read() as tx:
            assert [check for check in audit(tx) if not check.ok] == []

    def close(self) -> None:
        self.require_sound()
        self.store.close()
