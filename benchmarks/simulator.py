"""Replays of real and generated months: how fast, how it grows, and how near to the clairvoyant orders.

    python benchmarks/simulator.py [--philly FOLDER] [--sia FOLDER] [--large] [--variants 5]

The first FOLDER holds Philly virtual clusters as CSV files of Muri's format (trace1.csv to trace4.csv). Each is
replayed on the largest plain fleet of eight-accelerator nodes on which jobs wait longer than they run under `fifo`.
The models that Muri drew for the jobs, which Philly does not have, are left out. The second FOLDER holds Sia's
workloads, a folder of CSV files each: there a job's name tells what it does. They are told by their means.
Without the folders only generated traces are replayed. ``--large`` adds a million jobs on 10,000 nodes (minutes).
``--variants`` adds the mean over so many variants of each cluster, itself and others without one job in 25, as single
replays scatter where a few long gangs decide.

Walltimes are declared as people write them: up to five times the run time, rounded up to usual lengths (``modal:4``).
A clairvoyant order knows every run time. `srtf` is replayed without any cost of preemption, the others pay 62 s for
each. Targets are those of the design; a ratio is to the baseline measured in the same run.
"""

from __future__ import annotations

import argparse
import resource
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import log
from pathlib import Path
from random import Random
from statistics import fmean

import numpy as np

from petahour.model.time import HOUR_MS
from petahour.scheduler.policies import policy_named
from petahour.scheduler.state import Bounds
from petahour.simulator.estimates import parse_noise, with_estimates
from petahour.simulator.fleet import plain_nodes
from petahour.simulator.generate import plain
from petahour.simulator.readers import read_trace
from petahour.simulator.replay import Costs, Replay, replay
from petahour.simulator.report import Summary, summarise
from petahour.simulator.trace import Trace
from report import Figure, show

WIDTH = 8
UNBOUNDED = Bounds(max_preemptions=10**9)


@dataclass(frozen=True, kw_only=True)
class Philly:
    """One virtual cluster on the fleet it is replayed on."""

    name: str
    trace: Trace
    nodes: int


def run(trace: Trace, nodes: int, policy: str, *, preemptible: bool = False, free: bool = False) -> Summary:
    """One replay in figures. ``free``: preemption costs nothing and has no bound."""
    how = Replay(policy=policy_named(policy), nodes=plain_nodes(nodes, WIDTH), preemptible=preemptible)
    if free:
        how = Replay(
            policy=how.policy, nodes=how.nodes, preemptible=preemptible, costs=Costs(restart_ms=0), bounds=UNBOUNDED
        )
    return summarise(replay(trace, how))


def contended(name: str, trace: Trace) -> Philly:
    """The trace on the largest fleet on which jobs wait for longer than they run."""
    mean_run_s = sum(job.duration_ms for job in trace.jobs) / len(trace.jobs) / 1000
    least = -(-max(job.accelerators for job in trace.jobs) // WIDTH)
    span_ms = trace.jobs[-1].submit_ms
    nodes = max(least, round(sum(job.duration_ms * job.accelerators for job in trace.jobs) / span_ms / WIDTH * 3))
    while nodes > least and run(trace, nodes, "fifo").mean_wait_s <= mean_run_s:
        nodes -= 1
    return Philly(name=name, trace=trace, nodes=nodes)


def completion(philly: Philly) -> list[Figure]:
    """Against the clairvoyant orders: with everything preemptible, and with nothing."""
    label = f"{philly.name} on {philly.nodes} nodes"
    srtf = run(philly.trace, philly.nodes, "srtf", preemptible=True, free=True)
    spot = run(philly.trace, philly.nodes, "petahour", preemptible=True)
    las = run(philly.trace, philly.nodes, "las", preemptible=True)
    sjf, fixed = (run(philly.trace, philly.nodes, name) for name in ("sjf", "petahour"))
    easy = run(philly.trace, philly.nodes, "backfill")
    written = with_estimates(philly.trace, parse_noise("modal:4"), 1)
    declared, easily = (run(written, philly.nodes, name) for name in ("petahour", "backfill"))
    rows = (
        ("preemptible, mean completion", spot.mean_completion_s, "srtf, free", srtf.mean_completion_s, 1.05),
        ("preemptible, las, mean completion", las.mean_completion_s, "srtf, free", srtf.mean_completion_s, None),
        ("not preemptible, mean completion", fixed.mean_completion_s, "sjf", sjf.mean_completion_s, 1.10),
        ("not preemptible, p99 wait", fixed.p99_wait_s, "backfill, true run times", easy.p99_wait_s, 1.0),
        ("walltimes declared, mean completion", declared.mean_completion_s, "sjf", sjf.mean_completion_s, None),
        ("walltimes declared, p99 wait", declared.p99_wait_s, "backfill, the same", easily.p99_wait_s, None),
    )
    return [
        Figure(
            name=f"{label}: {name}",
            value=value / 3600,
            unit="h",
            baseline_name=baseline_name,
            baseline=baseline / 3600,
            target="" if most is None else f"<= {most:.2f} x",
            ok=None if most is None else value <= most * baseline,
        )
        for name, value, baseline_name, baseline, most in rows
    ]


def variants_of(philly: Philly, count: int) -> list[Philly]:
    """The cluster, and others without one job in 25."""
    traces = [philly.trace]
    for seed in range(1, count):
        drawn = Random(seed)
        traces.append(replace(philly.trace, jobs=[job for job in philly.trace.jobs if drawn.random() > 0.04]))
    return [replace(philly, trace=trace) for trace in traces]


def means(label: str, clusters: Sequence[Philly]) -> list[Figure]:
    """Means over several clusters, against theirs under the clairvoyant orders."""

    def all_of(policy: str, *, preemptible: bool = False, free: bool = False) -> list[Summary]:
        return [run(one.trace, one.nodes, policy, preemptible=preemptible, free=free) for one in clusters]

    def completion_h(of: list[Summary]) -> float:
        return fmean(one.mean_completion_s for one in of) / 3600

    def p99_h(of: list[Summary]) -> float:
        return fmean(one.p99_wait_s for one in of) / 3600

    spot, free = all_of("petahour", preemptible=True), all_of("srtf", preemptible=True, free=True)
    fixed, sjf, easy = (all_of(policy) for policy in ("petahour", "sjf", "backfill"))
    rows = (
        ("preemptible, mean completion", completion_h(spot), "srtf, free", completion_h(free)),
        ("not preemptible, mean completion", completion_h(fixed), "sjf", completion_h(sjf)),
        ("not preemptible, p99 wait", p99_h(fixed), "backfill, true run times", p99_h(easy)),
    )
    return [
        Figure(name=f"{label}: {name}", value=value, unit="h", baseline_name=baseline_name, baseline=baseline)
        for name, value, baseline_name, baseline in rows
    ]


def together(clusters: Sequence[Philly]) -> list[Figure]:
    """Over all jobs of all clusters, each cluster on its own fleet, with nothing preemptible."""

    def of_jobs(policy: str) -> tuple[float, float]:
        completion_ms, wait_ms = [], []
        for one in clusters:
            how = Replay(policy=policy_named(policy), nodes=plain_nodes(one.nodes, WIDTH))
            jobs = replay(one.trace, how).jobs
            submit_ms = np.array([job.submit_ms for job in one.trace.jobs])
            completion_ms.append(jobs.end_ms - submit_ms)
            wait_ms.append(jobs.start_ms - submit_ms)
        return float(np.concatenate(completion_ms).mean()), float(np.percentile(np.concatenate(wait_ms), 99))

    fixed, sjf, easy = (of_jobs(policy) for policy in ("petahour", "sjf", "backfill"))
    rows = (
        ("mean completion", fixed[0], "sjf", sjf[0], 1.10),
        ("p99 wait", fixed[1], "backfill, true run times", easy[1], 1.0),
    )
    return [
        Figure(
            name=f"all jobs of {len(clusters)} clusters: not preemptible, {name}",
            value=value / HOUR_MS,
            unit="h",
            baseline_name=baseline_name,
            baseline=baseline / HOUR_MS,
            target=f"<= {most:.2f} x",
            ok=value <= most * baseline,
        )
        for name, value, baseline_name, baseline, most in rows
    ]


def speed(clusters: Sequence[Philly]) -> list[Figure]:
    """Jobs per second over all clusters together, on one core."""
    figures = []
    fifo_rate = None
    for policy, least in (("fifo", 25_000), ("petahour", 6_000)):
        summaries = [run(philly.trace, philly.nodes, policy) for philly in clusters]
        rate = sum(summary.jobs for summary in summaries) / sum(summary.wall_s for summary in summaries)
        fifo_rate = fifo_rate or rate
        figures.append(
            Figure(
                name=f"replay of {len(clusters)} clusters, {policy}",
                value=rate,
                unit="jobs/s",
                baseline_name="fifo",
                baseline=fifo_rate,
                target=f">= {least:,}",
                ok=rate >= least,
            )
        )
    return figures


def growth(sizes: Sequence[int]) -> list[Figure]:
    """Seconds per job as the trace grows on a fleet that grows with it; the exponent of the growth."""
    figures = []
    costs = []
    for jobs in sizes:
        nodes = max(100, jobs // 100)
        trace = plain(jobs, nodes, WIDTH, seed=1, load=0.95)
        summary = summarise(replay(trace, Replay(policy=policy_named("petahour"), nodes=trace.nodes)))
        costs.append(summary.wall_s / summary.jobs * 1e6)
        large = jobs >= 1_000_000
        figures.append(
            Figure(
                name=f"{jobs:,} generated jobs on {nodes:,} nodes, petahour",
                value=summary.wall_s,
                unit="s",
                baseline_name="as fast per job as the smallest",
                baseline=costs[0] * jobs / 1e6,
                target="< 360 s" if large else "",
                ok=summary.wall_s < 360 if large else None,
            )
        )
    exponent = log(costs[-1] / costs[0]) / log(log(sizes[-1]) / log(sizes[0]))
    figures.append(
        Figure(
            name="cost per job grows as log(jobs) to the power of",
            value=exponent,
            unit="",
            baseline_name="log(jobs)",
            baseline=1.0,
            target="<= 1",
            ok=exponent <= 1.0,
        )
    )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    figures.append(
        Figure(
            name="peak memory of the largest",
            value=peak,
            unit="GiB",
            baseline_name="target",
            baseline=4.0,
            target="< 4 GiB",
            ok=peak < 4.0,
        )
    )
    return figures


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--philly", type=Path)
    parser.add_argument("--sia", type=Path)
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--variants", type=int, default=1)
    asked = parser.parse_args()
    clusters = []
    if asked.philly is not None:
        for path in sorted(asked.philly.glob("*.csv")):
            trace = read_trace(path, "muri")
            nameless = [replace(job, name="") for job in trace.jobs]
            clusters.append(contended(path.stem, replace(trace, jobs=nameless)))
    else:
        clusters.append(contended("generated", plain(3_000, 20, WIDTH, seed=1, load=1.0)))
    figures = [figure for philly in clusters for figure in completion(philly)]
    if len(clusters) > 1:
        figures += together(clusters)
    if asked.variants > 1:
        for philly in clusters:
            figures += means(f"{philly.name}, {asked.variants} variants", variants_of(philly, asked.variants))
    for folder in sorted(asked.sia.iterdir()) if asked.sia is not None else ():
        workloads = [contended(path.stem, read_trace(path, "sia")) for path in sorted(folder.glob("*.csv"))]
        if workloads:
            figures += means(f"sia's {folder.name}, {len(workloads)} workloads", workloads)
    figures += speed(clusters)
    figures += growth((10_000, 100_000, 1_000_000) if asked.large else (10_000, 100_000))
    return show("Simulator", figures)


if __name__ == "__main__":
    raise SystemExit(main())
