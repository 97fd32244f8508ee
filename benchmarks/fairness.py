"""Whether anybody is worse off than under fair shares: virtual clusters of Philly as tenants of one fleet.

    python benchmarks/fairness.py FOLDER [--nodes N]

FOLDER holds Philly virtual clusters as CSV files of Muri's format (trace1.csv to trace4.csv). Each is a tenant, and
all of them share the largest plain fleet of eight-accelerator nodes on which the mean wait under `fifo` exceeds the
mean run time. A tenant's finish-time ratio is the mean over its jobs of the completion time over the one on an even
share of the fleet of its own. The target of the design: under `petahour` at most 1.10 x the ratio under `drf`, for
every tenant, with every job preemptible; without preemption the figures are told and no target is set.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from petahour.scheduler.policies import policy_named
from petahour.simulator.fleet import plain_nodes
from petahour.simulator.readers import read_trace
from petahour.simulator.replay import Replay, replay
from petahour.simulator.report import Summary, summarise
from petahour.simulator.trace import Trace
from report import Figure, show

WIDTH = 8
MOST = 1.10


def joined(folder: Path) -> Trace:
    """All clusters as tenants of one trace, by their submissions; each begins at 0 as its own file does."""
    jobs = [
        replace(job, tenant=path.stem, id=f"{path.stem}-{job.id}", name="")  # Muri drew the names
        for path in sorted(folder.glob("*.csv"))
        for job in read_trace(path, "muri").jobs
    ]
    jobs.sort(key=lambda job: job.submit_ms)
    return Trace(name="philly", jobs=[replace(job, row=row) for row, job in enumerate(jobs)])


def run(trace: Trace, nodes: int, policy: str, *, preemptible: bool) -> Summary:
    how = Replay(policy=policy_named(policy), nodes=plain_nodes(nodes, WIDTH), preemptible=preemptible)
    return summarise(replay(trace, how))


def contended(trace: Trace) -> int:
    """The most nodes on which jobs wait for longer than they run."""
    mean_run_s = sum(job.duration_ms for job in trace.jobs) / len(trace.jobs) / 1000
    low = -(-max(job.accelerators for job in trace.jobs) // WIDTH)
    work = sum(job.duration_ms * job.accelerators for job in trace.jobs)
    high = max(low, round(work / trace.jobs[-1].submit_ms / WIDTH * 3))
    while low < high:
        middle = (low + high + 1) // 2
        if run(trace, middle, "fifo", preemptible=False).mean_wait_s > mean_run_s:
            low = middle
        else:
            high = middle - 1
    return low


def ratios(summary: Summary) -> Mapping[str, float]:
    return {tenant.tenant: tenant.finish_time_ratio for tenant in summary.tenants}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--nodes", type=int)
    asked = parser.parse_args()
    trace = joined(asked.folder)
    nodes = asked.nodes or contended(trace)
    figures = []
    for preemptible in (True, False):
        base = ratios(run(trace, nodes, "drf", preemptible=preemptible))
        mine = ratios(run(trace, nodes, "petahour", preemptible=preemptible))
        for tenant in sorted(base):
            figures.append(
                Figure(
                    name=f"{tenant} on {nodes} nodes, {'' if preemptible else 'not '}preemptible: finish-time ratio",
                    value=mine[tenant],
                    unit="",
                    baseline_name="drf",
                    baseline=base[tenant],
                    target=f"<= {MOST:.2f} x" if preemptible else "",
                    ok=mine[tenant] <= MOST * base[tenant] if preemptible else None,
                )
            )
    return show("Fairness", figures)


if __name__ == "__main__":
    raise SystemExit(main())
