"""How full a shared cluster gets when pods of all shapes arrive and none may be moved.

    python benchmarks/packing.py DATA [--seeds 10] [--first-seed 42] [--workload default ...]

DATA is the folder with the openb node list and pod lists of Alibaba's cluster-trace-gpu-v2023. Pods arrive until
their demand is 130 % of the accelerators; a pod is placed on arrival or lost. Printed is the allocated share where
the demand that arrived equals the capacity, as the figures published for Fragmentation Gradient Descent (Weng et al.,
USENIX ATC 2023, expected results of its simulator) are read, and the share at the end. FGD as published and best fit
run on the same arrivals.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from petahour.simulator.packing import RANKINGS, Nodes, Pods, pack, read_nodes, read_pods
from report import machine

PUBLISHED_PERCENT = {"default": 95.23, "gpuspec33": 87.84, "gpushare100": 86.64, "multigpu50": 97.09}
LOAD = 1.3


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One ranking on one workload: means over the seeds in percent of the accelerators, seconds for all seeds."""

    mean_percent: float
    least_percent: float
    final_percent: float
    wall_s: float


def measure(nodes: Nodes, pods: Pods, ranking: str, seeds: range) -> Outcome:
    """Run one ranking with every seed."""
    began = time.perf_counter()
    runs = [pack(nodes, pods, ranking=ranking, seed=seed, load=LOAD) for seed in seeds]
    wall_s = time.perf_counter() - began
    percent = [100 * run.share_at(1.0) for run in runs]
    return Outcome(
        mean_percent=statistics.fmean(percent),
        least_percent=min(percent),
        final_percent=statistics.fmean(100 * run.final_share for run in runs),
        wall_s=wall_s,
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first-seed", type=int, default=42)
    parser.add_argument("--workload", choices=list(PUBLISHED_PERCENT), nargs="+", default=list(PUBLISHED_PERCENT))
    asked = parser.parse_args()
    if asked.seeds < 1:
        parser.error("--seeds is at least 1")
    seeds = range(asked.first_seed, asked.first_seed + asked.seeds)
    nodes = read_nodes(asked.data / "openb_node_list_gpu_node.csv")
    about = machine()
    print(f"# Packing {int(nodes.gpus.sum()):,} accelerators, mean of {len(seeds)} seeds ", end="")
    print(f"({about['cores']} cores, {about['processor']}, Python {about['python']})\n")
    print("| workload | petahour % | FGD published % | FGD here % | best fit here % | petahour at 130 % | seconds |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    rows = {}
    for workload in asked.workload:
        pods = read_pods(asked.data / f"openb_pod_list_{workload}.csv")
        of = {ranking: measure(nodes, pods, ranking, seeds) for ranking in RANKINGS}
        published, ours = PUBLISHED_PERCENT[workload], of["petahour"]
        ok = ours.mean_percent >= published
        print(
            f"| {workload} | {ours.mean_percent:.2f}{' ok' if ok else ' MISSED'} | {published:.2f} "
            f"| {of['fgd'].mean_percent:.2f} | {of['best-fit'].mean_percent:.2f} | {ours.final_percent:.2f} "
            f"| {ours.wall_s:.1f} |",
            flush=True,
        )
        measured = {ranking: asdict(outcome) for ranking, outcome in of.items()}
        rows[workload] = {"published_percent": published, "ok": ok, "rankings": measured}
    print("\n" + json.dumps({"title": "packing", "machine": about, "seeds": list(seeds), "workloads": rows}))
    return 0 if all(row["ok"] for row in rows.values()) else 1


if __name__ == "__main__":
    raise SystemExit(main())
