"""A control step with 10,000 queued jobs and 1,000 running: how long it takes, and the memory it needs. Then the
step that closes an hour of all that runs, and how long one transaction of it keeps other writers waiting.

    python benchmarks/control_step.py [--queued 10000] [--running 1000]

The store is a real SQLite file filled by the real use cases. The engine is one that reports what it is told, as
a thousand processes would measure the host and not the step. Baseline: reading the queued jobs from the
database once, in the same run.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from petahour.catalog import load_catalog
from petahour.control.clock import SystemClock
from petahour.control.context import Context
from petahour.control.credit import add_credit
from petahour.control.fleet import register
from petahour.control.ids import RandomIds
from petahour.control.live import LiveState
from petahour.control.prices import load_price_books
from petahour.control.request import JobRequest
from petahour.control.step import Reconciler
from petahour.control.submit import submit
from petahour.control.tenants import create_tenant
from petahour.engines.protocol import Launch, LogChunk, Phase, Report
from petahour.model.allocations import EndKind
from petahour.model.resources import Node
from petahour.model.tenants import Caller, Role
from petahour.model.time import HOUR_MS
from petahour.store.sql.store import SqlStore, SqlTransaction, open_store, sqlite_url
from report import Figure, percentile, show

TYPE = "a100-80g-sxm"
OPERATOR = Caller(key="bench", user="bench", role=Role.OPERATOR, tenant=None)
TENANTS = 20


class TurnedClock(SystemClock):
    """The host's clock, turned forward."""

    ahead_ms = 0

    def now_ms(self) -> int:
        return super().now_ms() + self.ahead_ms


class TimedStore(SqlStore):
    """A store that knows its longest transaction, from when it has the writer's turn until it is committed."""

    longest_s = 0.0

    @contextmanager
    def write(self) -> Iterator[SqlTransaction]:
        with super().write() as tx:
            began = time.perf_counter()
            yield tx
        self.longest_s = max(self.longest_s, time.perf_counter() - began)


class TellingEngine:
    """An engine whose gangs start at once and end when the benchmark says so."""

    name = "local"

    def __init__(self, clock: SystemClock) -> None:
        self._clock = clock
        self._known: set[str] = set()
        self._reports: list[Report] = []

    def start(self, launch: Launch) -> None:
        self._known.add(launch.allocation)
        self._reports.append(
            Report(allocation=launch.allocation, phase=Phase.RUNNING, started_ms=self._clock.now_ms())
        )

    def end(self, allocation: str) -> None:
        now_ms = self._clock.now_ms()
        self._reports.append(
            Report(allocation=allocation, phase=Phase.ENDED, ended_ms=now_ms, end_kind=EndKind.SUCCEEDED, exit_code=0)
        )

    def stop(self, allocation: str, *, signal: str, grace_ms: int) -> None:
        self.end(allocation)

    def poll(self, *, full: bool = False) -> Sequence[Report]:
        reports, self._reports = self._reports, []
        return reports

    def forget(self, allocation: str) -> None:
        self._known.discard(allocation)

    def known(self) -> frozenset[str]:
        return frozenset(self._known)

    def log(self, allocation: str, rank: int, *, offset: int, limit_bytes: int) -> LogChunk:
        return LogChunk(text="", next_offset=0, complete=True)

    def nodes(self) -> Sequence[Node] | None:
        return ()

    def drain(self, node: str, reason: str) -> None:
        pass

    def resume(self, node: str) -> None:
        pass

    def subscribe(self, wake: Callable[[], None]) -> None:
        pass

    def close(self) -> None:
        pass


def build(folder: Path, running: int) -> tuple[Context, TellingEngine, TurnedClock]:
    """A control plane over SQLite with room for exactly ``running`` one-accelerator jobs."""
    catalog, clock = load_catalog(), TurnedClock()
    engine = TellingEngine(clock)
    context = Context(
        store=TimedStore(open_store(sqlite_url(folder / "bench.db"))._engine),
        engines={"local": engine},
        catalog=catalog,
        prices=load_price_books(catalog),
        clock=clock,
        ids=RandomIds(),
        live=LiveState(),
        data_dir=folder,
    )
    nodes = [
        Node(name=f"n{number}", pool="p", engine="local", type=TYPE, accelerators=8) for number in range(running // 8)
    ]
    register(context, nodes)
    for number in range(TENANTS):
        create_tenant(context, OPERATOR, name=f"t{number}", title="", currency="CNY")
        add_credit(context, OPERATOR, f"t{number}", amount="1000000000", currency="CNY", key="first", note="")
    context.live.refresh(context.store, context.settings)
    return context, engine, clock


def fill(context: Context, jobs: int) -> None:
    """Submit jobs of twenty tenants with a few shapes of gang."""
    for number in range(jobs):
        request = JobRequest(
            command=("train", str(number)),
            types=(TYPE,),
            tenant=f"t{number % TENANTS}",
            nodes=1,
            accelerators_per_node=1,
            priority=number % 3,
            walltime="10h" if number % 2 else None,
        )
        submit(context, OPERATOR, request)


def close_an_hour(context: Context, reconciler: Reconciler, clock: TurnedClock) -> tuple[float, float, int]:
    """Milliseconds of the step that closes it, and of its longest transaction; how many allocations were closed."""
    store = context.store
    assert isinstance(store, TimedStore)
    clock.ahead_ms += HOUR_MS + context.settings.settle_ms
    store.longest_s = 0.0
    began = time.perf_counter()
    closed = reconciler.step().closed
    return (time.perf_counter() - began) * 1e3, store.longest_s * 1e3, closed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--queued", type=int, default=10_000)
    parser.add_argument("--running", type=int, default=1_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="petahour-bench-") as folder:
        context, engine, clock = build(Path(folder), options.running)
        fill(context, options.running)
        reconciler = Reconciler(context)
        while len(context.live.allocations) < options.running or context.live.queued:
            reconciler.step()
        reconciler.step()
        fill(context, options.queued)
        reconciler.step()
        assert len(context.live.queued) == options.queued, len(context.live.queued)

        began = time.perf_counter()
        with context.store.read() as tx:
            tx.jobs.unfinished()
        read_ms = (time.perf_counter() - began) * 1e3

        took_ms = []
        for _ in range(30):
            # What makes a step work: one job ends and one is submitted, so one is placed.
            engine.end(next(iter(context.live.allocations)))
            fill(context, 1)
            began = time.perf_counter()
            step = reconciler.step()
            took_ms.append((time.perf_counter() - began) * 1e3)
            assert step.placed == 1, step
        hour_ms, longest_ms, closed = close_an_hour(context, reconciler, clock)
        context.store.close()
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    name = "reading the jobs once"
    return show(
        f"Control step, {options.queued:,} queued and {options.running:,} running on SQLite",
        [
            Figure(
                name="median step", value=statistics.median(took_ms), unit="ms", baseline_name=name,
                baseline=read_ms, target="< 200 ms", ok=statistics.median(took_ms) < 200,
            ),
            Figure(name="p95 step", value=percentile(took_ms, 0.95), unit="ms", baseline_name=name, baseline=read_ms),
            Figure(
                name=f"closing an hour of {closed:,} running", value=hour_ms, unit="ms", baseline_name=name,
                baseline=read_ms,
            ),
            Figure(
                name="longest transaction of it", value=longest_ms, unit="ms", baseline_name=name, baseline=read_ms,
                target="< 500 ms", ok=longest_ms < 500,
            ),
            Figure(
                name="peak memory", value=peak_mb, unit="MB", baseline_name="the limit", baseline=400,
                target="< 400 MB", ok=peak_mb < 400,
            ),
        ],
    )  # fmt: skip


if __name__ == "__main__":
    raise SystemExit(main())
