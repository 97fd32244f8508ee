"""What the run times of other jobs would tell by the model of neighbours, if all of them were known.

    python benchmarks/knowable.py FOLDER [--variants 5]

FOLDER holds Philly virtual clusters as CSV files of Muri's format. Each is replayed on the fleet of ``simulator.py``,
nothing preemptible, under ``petahour`` as it is; then in the order of what the true run times of all *other* jobs,
past and future, tell of each by the model of ``scheduler/near.py``; then in the order of the true ones. The second
knows what no scheduler can, and does less with it: none of a row is tried first, and how long something has run for
tells nothing. ``--variants``: means over the cluster and others without one job in 25.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import replace
from math import inf, log2
from pathlib import Path
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from petahour.model.time import HOUR_MS
from petahour.scheduler.ask import Waiting
from petahour.scheduler.kind import RISK
from petahour.scheduler.line import Rank
from petahour.scheduler.near import HALF_MS, OWN, POWER, log_of
from petahour.scheduler.policies import AGEING_RUNS, PATIENCE_MS, PATIENCE_RUNS, PETAHOUR
from petahour.scheduler.policy import Policy
from petahour.scheduler.state import State
from petahour.simulator.fleet import plain_nodes
from petahour.simulator.readers import read_trace
from petahour.simulator.replay import Replay, replay
from petahour.simulator.report import Summary, summarise
from petahour.simulator.trace import Trace
from report import Figure, show
from simulator import WIDTH, Philly, contended, run, variants_of

HEARD = 24  # neighbours of the same gang size on either side; those further away tell next to nothing


def told_by_others(trace: Trace) -> dict[str, float]:
    """Of each job the run time in ms that those of all other jobs tell, mean and variance of all being known too."""
    told = {}
    for accelerators in {job.accelerators for job in trace.jobs}:
        jobs = [job for job in trace.jobs if job.accelerators == accelerators]
        at_ms = np.array([job.submit_ms for job in jobs], float)
        logs = np.array([log_of(job.duration_ms) for job in jobs])
        usual, variance = float(logs.mean()), max(1.0, float(logs.var()))
        for place, job in enumerate(jobs):
            near = [n for n in range(max(0, place - HEARD), min(len(jobs), place + HEARD + 1)) if n != place]
            alike = _alike(at_ms[near][:, None] - at_ms[near][None, :])
            np.fill_diagonal(alike, 1.0)
            bound = _alike(at_ms[near] - at_ms[place])
            weights = np.linalg.solve(alike, bound)
            mean = usual + float(weights @ (logs[near] - usual))
            told[job.id] = 2 ** (mean + RISK * variance * (1 - float(weights @ bound)))
    return told


def _alike(apart_ms: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray((1 - OWN) / (1 + (np.abs(apart_ms) / HALF_MS) ** POWER))


def ordered_by(run_ms: Mapping[str, float]) -> Policy:
    """``petahour`` for one tenant's work that cannot be stopped, by these run times."""

    def urgency(state: State, job: Waiting, now_ms: int) -> Rank:
        mean_ms = state.expectation.mean_ms or HOUR_MS
        queued_ms = now_ms - job.submitted_ms
        if queued_ms > max(PATIENCE_MS, PATIENCE_RUNS * mean_ms):
            return (-inf, job.seq)
        waited = queued_ms / (AGEING_RUNS * mean_ms)
        return (log2(run_ms[job.id] * job.ask.accelerators) - log2(1 + waited), job.seq)

    return replace(PETAHOUR, line=lambda state, job: job.id, urgency=urgency)


def replayed(philly: Philly, run_ms: Mapping[str, float]) -> Summary:
    how = Replay(policy=ordered_by(run_ms), nodes=plain_nodes(philly.nodes, WIDTH))
    return summarise(replay(philly.trace, how))


def figures_of(philly: Philly, count: int) -> list[Figure]:
    clusters = variants_of(philly, count)
    sjf, easy, mine = (
        [run(one.trace, one.nodes, name) for one in clusters] for name in ("sjf", "backfill", "petahour")
    )
    others = [replayed(one, told_by_others(one.trace)) for one in clusters]
    true = [replayed(one, {job.id: float(job.duration_ms) for job in one.trace.jobs}) for one in clusters]
    label = f"{philly.name} on {philly.nodes} nodes" + (f", {count} variants" if count > 1 else "")
    figures = []
    for known, summaries in (("as it is", mine), ("told by all others", others), ("true run times", true)):
        rows = (
            ("mean completion", "mean_completion_s", "sjf", sjf),
            ("p99 wait", "p99_wait_s", "backfill, true run times", easy),
        )
        for name, field, baseline_name, baseline in rows:
            value, against = (fmean(getattr(one, field) for one in of) / 3600 for of in (summaries, baseline))
            figures.append(
                Figure(
                    name=f"{label}: {known}, {name}",
                    value=value,
                    unit="h",
                    baseline_name=baseline_name,
                    baseline=against,
                )
            )
    return figures


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--variants", type=int, default=1)
    asked = parser.parse_args()
    figures = []
    for path in sorted(asked.folder.glob("*.csv")):
        trace = read_trace(path, "muri")
        nameless = [replace(job, name="") for job in trace.jobs]  # Muri drew the names
        figures += figures_of(contended(path.stem, replace(trace, jobs=nameless)), asked.variants)
    return show("What could be known of run times", figures)


if __name__ == "__main__":
    raise SystemExit(main())
