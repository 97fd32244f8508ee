"""Turns on a mixed fleet: what the program of least end costs a replay, and that leaving it out decides the same.

    python benchmarks/turns.py [--jobs 20000] [--seed 1]

A generated month on a generated fleet of six types, at a load of 0.9, under `petahour`: as it is, and with the linear
program solved at every decision instead of only where the choice may depend on it (``shares.chips.presses``). The
second is the baseline. Both must end every job at the same instant. Seconds are those of this process's processor.
"""

from __future__ import annotations

import argparse
import time
from unittest.mock import patch

from petahour.scheduler import turns
from petahour.scheduler.policies import policy_named
from petahour.simulator.generate import GenerateOptions, fleet_of, generate
from petahour.simulator.replay import Replay, replay
from petahour.simulator.result import Result
from petahour.simulator.trace import Trace
from report import Figure, show

NODES, LOAD, JOBS_A_DAY = 60, 0.9, 700


def timed(trace: Trace, how: Replay) -> tuple[Result, float]:
    """What comes of it, and the seconds of processor time it took."""
    began_s = time.process_time()
    result = replay(trace, how)
    return result, time.process_time() - began_s


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    nodes = fleet_of("mixed", NODES)
    options = GenerateOptions(
        jobs=asked.jobs, days=max(3, asked.jobs / JOBS_A_DAY), seed=asked.seed, load=LOAD, nodes=nodes
    )
    trace = generate(options)
    figures = []
    for preemptible in (False, True):
        how = Replay(policy=policy_named("petahour"), nodes=nodes, preemptible=preemptible)
        result, seconds = timed(trace, how)
        with patch.object(turns, "presses", return_value=True):
            always, always_s = timed(trace, how)
        what = "all of it preemptible" if preemptible else "a ninth of it spot"
        figures.append(
            Figure(
                name=f"{asked.jobs:,} jobs on {len(nodes)} nodes of six types, {what}",
                value=seconds,
                unit="s",
                baseline_name="program at every decision",
                baseline=always_s,
                target="the same ends",
                ok=bool((result.jobs.end_ms == always.jobs.end_ms).all()),
            )
        )
    return show("Turns on a mixed fleet", figures)


if __name__ == "__main__":
    raise SystemExit(main())
