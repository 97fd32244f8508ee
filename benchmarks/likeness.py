"""How alike jobs of one gang size run, by how far apart they were submitted: what ``scheduler/near.py`` rests on.

    python benchmarks/likeness.py FOLDER

FOLDER holds Philly virtual clusters as CSV files of Muri's format. Printed is the part of the variance of log2 run
time that two jobs of one gang size share: one less half the mean square of their difference over the variance.
"""

from __future__ import annotations

import argparse
from itertools import pairwise
from pathlib import Path

import numpy as np

from petahour.scheduler.near import log_of
from petahour.simulator.readers import read_trace

APART_S = (0, 60, 300, 1_800, 7_200, 28_800, 86_400)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    print("| cluster | spread, doublings | " + " | ".join(f"to {end_s} s" for end_s in APART_S[1:]) + " |")
    print("| --- |" + " ---: |" * len(APART_S))
    for path in sorted(parser.parse_args().folder.glob("*.csv")):
        jobs = read_trace(path, "muri").jobs
        logs = np.array([log_of(job.duration_ms) for job in jobs])
        at_s = np.array([job.submit_ms / 1000 for job in jobs])
        size = np.array([job.accelerators for job in jobs])
        one, other = np.triu_indices(len(jobs), 1)
        same = size[one] == size[other]
        one, other = one[same], other[same]
        apart_s, half = np.abs(at_s[one] - at_s[other]), (logs[one] - logs[other]) ** 2 / 2
        cells = [
            f"{1 - half[(apart_s >= low) & (apart_s < high)].mean() / logs.var():.2f}"
            for low, high in pairwise(APART_S)
        ]
        print(f"| {path.stem} | {logs.std():.1f} | " + " | ".join(cells) + " |")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
