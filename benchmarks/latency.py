"""Submit-to-running on an idle local fleet: from the POST leaving to the job's recorded start, end to end.

    python benchmarks/latency.py [--jobs 50]

Baseline: starting and ending the same program with subprocess, once per job, in the same run.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time

from plane import control_plane, tenant_with_credit
from report import Figure, percentile, show


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=50)
    jobs = parser.parse_args().jobs
    spawn_ms, running_ms = [], []
    with control_plane() as plane, plane.client() as client:
        tenant_with_credit(client)
        body = {"tenant": "bench", "command": ["sleep", "0.01"], "walltime": "1m"}
        for _ in range(jobs):
            began = time.perf_counter()
            subprocess.run([sys.executable, "-I", "-S", "-c", "pass"], check=True)
            spawn_ms.append((time.perf_counter() - began) * 1e3)
            sent_ms = time.time() * 1e3
            job = client.post("/v1/jobs", json=body).raise_for_status().json()["id"]
            while (found := client.get(f"/v1/jobs/{job}").json())["state"] not in ("succeeded", "failed"):
                time.sleep(0.01)
            assert found["state"] == "succeeded", found
            running_ms.append(found["started_ms"] - sent_ms)
    spawn = statistics.median(spawn_ms)
    median = statistics.median(running_ms)
    return show(
        f"Submit-to-running, {jobs} jobs one after another on SQLite",
        [
            Figure(
                name="median",
                value=median,
                unit="ms",
                baseline_name="start and end a bare Python",
                baseline=spawn,
                target="< 150 ms",
                ok=median < 150,
            ),
            Figure(
                name="p95",
                value=percentile(running_ms, 0.95),
                unit="ms",
                baseline_name="start and end a bare Python",
                baseline=spawn,
            ),
        ],
    )


if __name__ == "__main__":
    raise SystemExit(main())
