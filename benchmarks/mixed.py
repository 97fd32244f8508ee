"""Work that may be stopped on a mixed fleet, against the figures of Gavel (Narayanan et al., OSDI 2020).

    python benchmarks/mixed.py TRACES THROUGHPUTS [--table simulation] [--restart-cost 0]

TRACES is the folder with Gavel's traces of its physical cluster (minimize_makespan.trace: 100 jobs at once;
max_min_fairness.trace: jobs come continuously, measured are those numbered 40 to 63), THROUGHPUTS the one with its
tables of measured steps per second. The fleet is 8 V100, 16 P100 and 24 K80 by number, each accelerator by itself, as
in Gavel's own simulator; moving a job costs nothing unless ``--restart-cost`` says how many seconds.

Gavel's figures were got with its own simulator, with the simulation table. No schedule of the static trace ends
before 17.71 h on that table and 17.09 h on the physical one: the least end of the linear program, which allows jobs
to be moved at will (``shares.least_end``; printed as the baseline).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from petahour.model.resources import Node
from petahour.scheduler.policies import policy_named
from petahour.scheduler.shares.demand import Demand
from petahour.scheduler.shares.least_end import least_end
from petahour.simulator.readers import ReadOptions, read_trace
from petahour.simulator.replay import Costs, Replay, replay
from petahour.simulator.trace import Trace
from report import Figure, show

FLEET = {"v100": 8, "p100": 16, "k80": 24}
HOUR_MS = 3_600_000
# Policy, static average, static makespan and continuous average in hours: at most.
TARGETS: dict[str, tuple[float | None, float | None, float | None]] = {
    "petahour": (9.0, 17.6, 3.3),
    "max-min": (9.91 * 1.05, None, 3.57 * 1.05),
    "finish-time": (None, None, None),
}


def nodes() -> list[Node]:
    """Every accelerator is a node: Gavel's simulator knows only how many there are of a type."""
    return [
        Node(name=f"{kind}-{number}", pool=kind, engine="simulated", type=kind, accelerators=1)
        for kind, count in FLEET.items()
        for number in range(count)
    ]


def bound_h(trace: Trace) -> float:
    """Hours before which no schedule of jobs that are all there at once can end."""
    known = [dict(zip(job.types, job.speeds, strict=True)) for job in trace.jobs]
    speeds = np.array([[on.get(kind, 0.0) for kind in FLEET] for on in known])
    gangs = np.array([job.accelerators for job in trace.jobs], np.int64)
    demand = Demand(speeds=speeds, gangs=gangs, capacities=np.array(list(FLEET.values()), np.int64))
    return least_end(demand, np.array([job.duration_ms / HOUR_MS for job in trace.jobs])).end_s


def run(trace: Trace, policy: str, restart_ms: int, *, first: int = 0, last: int = 10**9) -> tuple[float, float]:
    """Hours: mean completion of the jobs in these rows, and the end of the last one."""
    costs = Costs(restart_ms=restart_ms)
    result = replay(trace, Replay(policy=policy_named(policy), nodes=nodes(), preemptible=True, costs=costs))
    completion = result.jobs.end_ms - np.array([job.submit_ms for job in trace.jobs])
    rows = np.array([job.row for job in trace.jobs])
    measured = completion[(rows >= first) & (rows < last)]
    return float(measured.mean()) / HOUR_MS, float(result.jobs.end_ms.max()) / HOUR_MS


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("traces", type=Path)
    parser.add_argument("throughputs", type=Path)
    parser.add_argument("--table", choices=("simulation", "physical_cluster"), default="physical_cluster")
    parser.add_argument("--restart-cost", type=float, default=0.0)
    asked = parser.parse_args()
    options = ReadOptions(throughputs=asked.throughputs / f"{asked.table}_throughputs.json")
    static = read_trace(asked.traces / "minimize_makespan.trace", "gavel", options)
    continuous = read_trace(asked.traces / "max_min_fairness.trace", "gavel", options)
    restart_ms, bound = round(asked.restart_cost * 1000), bound_h(static)
    figures = []
    fifo = run(static, "fifo", restart_ms)[0], bound, run(continuous, "fifo", restart_ms, first=40, last=64)[0]
    for policy, targets in TARGETS.items():
        mean, makespan = run(static, policy, restart_ms)
        later = run(continuous, policy, restart_ms, first=40, last=64)[0]
        names = ("static, mean completion", "static, makespan", "continuous, mean completion of jobs 40 to 63")
        baselines = ("fifo", "no schedule ends before", "fifo")
        for name, value, most, baseline_name, baseline in zip(
            names, (mean, makespan, later), targets, baselines, fifo, strict=True
        ):
            figures.append(
                Figure(
                    name=f"{policy}: {name}",
                    value=value,
                    unit="h",
                    baseline_name=baseline_name,
                    baseline=baseline,
                    target="" if most is None else f"<= {most:.2f} h",
                    ok=None if most is None else value <= most,
                )
            )
    return show(f"Mixed fleet, {asked.table} table", figures)


if __name__ == "__main__":
    raise SystemExit(main())
