"""A scheduling pass on a large floor: what an operator's control plane pays for each event.

    python benchmarks/scheduler.py [--nodes 10000] [--running 50000] [--queued 100000] [--tenants 500] [--passes 300]

The floor has eight accelerators a node and is filled with jobs of a generated trace, the narrow ones first, so that
so many run; the queue holds further ones of many tenants, none of which fits at first. Measured is the pass after one
event (a run ends, or a job is submitted), with the change itself, and the pass after a burst of 1,000 submissions.
The baseline is what a scheduler pays that keeps nothing between passes: putting the same present together once.
"""

from __future__ import annotations

import argparse
import random
import time

from petahour.model.jobs import Tier
from petahour.model.resources import Gang
from petahour.scheduler.ask import Running, Waiting
from petahour.scheduler.decide import decide
from petahour.scheduler.policies import policy_named
from petahour.scheduler.state import State
from petahour.simulator.fleet import plain_nodes
from petahour.simulator.generate import plain
from petahour.simulator.trace import TraceJob
from report import Figure, percentile, show

WIDTH, BURST = 8, 1_000
NARROW, NARROW_PART = 2, 0.96  # accelerators of a narrow job, and the part of all that run who are such
HOUR_MS = 3_600_000


class Floor:
    """A state with everything that the present holds, and further jobs to submit."""

    def __init__(self, nodes: int, running: int, queued: int, tenants: int, extra: int) -> None:
        self.state = State(policy_named("petahour"), plain_nodes(nodes, WIDTH))
        self.now_ms = 40 * 24 * HOUR_MS
        # Long enough for the floor to fill: mean gangs of the profile hold a little over two accelerators.
        trace = plain(nodes * WIDTH + queued + extra, nodes, WIDTH, seed=1, load=0.9, tenants=tenants)
        self._jobs = iter(trace.jobs)
        self._wide: list[TraceJob] = []
        self._seq = 0
        self.waiting = 0
        narrow = int(running * NARROW_PART)
        while len(self.state.running) < narrow:
            self.submit(widest=NARROW)
            if self.waiting >= 1_000:
                self.act()
        while self.waiting < queued:
            self.submit()
            if self._seq % 20_000 == 0 or self.waiting == queued:
                self.act()

    def submit(self, widest: int | None = None) -> None:
        """One more job waits; of those that are not too wide, the next one."""
        job = self._next(widest)
        full, rest = divmod(job.accelerators, WIDTH)
        gang = Gang(nodes=full, accelerators_per_node=WIDTH) if full else Gang(nodes=1, accelerators_per_node=rest)
        ask = self.state.asks.of(
            tenant=job.tenant,
            tier=Tier.ON_DEMAND,
            types=("accelerator",),
            gang=gang,
            rest=rest if full else 0,
        )
        self._seq += 1
        self.now_ms += 1
        self.state.enqueue(Waiting(f"job-{self._seq}", self._seq, ask, self.now_ms, job.walltime_ms, name=job.name))
        self.waiting += 1

    def _next(self, widest: int | None) -> TraceJob:
        if widest is None:
            return self._wide.pop() if self._wide else next(self._jobs)
        for job in self._jobs:
            if job.accelerators <= widest:
                return job
            self._wide.append(job)
        raise AssertionError("the trace is too short")

    def end(self, running_id: str) -> None:
        """A run ends of itself."""
        self.now_ms += 1_000
        running = self.state.release(running_id, self.now_ms)
        assert running is not None
        self.state.expectation.learn(running.job, self.now_ms - running.placed_ms)

    def act(self) -> int:
        """A pass, and what it decided is done; how many started."""
        made = decide(self.state, self.now_ms)
        self.state.reserved = made.reserved
        for start in made.starts:
            job = self.state.dequeue(start.job.id)
            assert job is not None
            ends_ms = None if job.walltime_ms is None else self.now_ms + job.walltime_ms
            running = Running(
                *(job.id, job, start.type, start.pool, start.grants, job.ask.accelerators, self.now_ms),
                ends_ms=ends_ms,
            )
            self.state.start(running, self.now_ms)
        self.waiting -= len(made.starts)
        return len(made.starts)


def anew(floor: Floor) -> float:
    """Seconds to put the present together again from its parts."""
    old = floor.state
    began = time.perf_counter()
    state = State(old.policy, old.nodes)
    for running in old.running.values():
        state.start(running._replace(job=replace_sweep(running.job)), floor.now_ms)
    for job in sorted(old.lines.every(), key=lambda job: job.seq):
        state.enqueue(replace_sweep(job))
    decide(state, floor.now_ms)
    return time.perf_counter() - began


def replace_sweep(job: Waiting) -> Waiting:
    """The job as it came, before it was put into a row."""
    return job._replace(sweep=None)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=10_000)
    parser.add_argument("--running", type=int, default=50_000)
    parser.add_argument("--queued", type=int, default=100_000)
    parser.add_argument("--tenants", type=int, default=500)
    parser.add_argument("--passes", type=int, default=300)
    asked = parser.parse_args()
    floor = Floor(asked.nodes, asked.running, asked.queued, asked.tenants, asked.passes + 6 * BURST)
    running = len(floor.state.running)
    print(f"{asked.nodes:,} nodes, {running:,} running, {floor.waiting:,} queued, {asked.tenants} tenants\n")
    whole_s = anew(floor)
    chance = random.Random(1)
    single, bursts = [], []
    for number in range(asked.passes):
        ending = chance.choice(list(floor.state.running)) if number % 2 else None
        began = time.perf_counter()
        if ending is None:
            floor.submit()
        else:
            floor.end(ending)
        floor.act()
        single.append(time.perf_counter() - began)
    for _ in range(5):
        began = time.perf_counter()
        for _ in range(BURST):
            floor.submit()
        floor.act()
        bursts.append(time.perf_counter() - began)
    figures = [
        Figure(
            name=name,
            value=value * 1000,
            unit="ms",
            baseline_name="the present put together once",
            baseline=whole_s * 1000,
            target=target,
            ok=None if most is None else value < most,
        )
        for name, value, target, most in (
            ("pass after one event, median", percentile(single, 0.5), "", None),
            ("pass after one event, p99", percentile(single, 0.99), "< 50 ms", 0.05),
            (f"burst of {BURST:,} submissions and its pass, worst of 5", max(bursts), "< 500 ms", 0.5),
        )
    ]
    return show("Scheduler", figures)


if __name__ == "__main__":
    raise SystemExit(main())
