"""The Slurm engine against plain Slurm on the same throw-away cluster, in the same run.

    python benchmarks/engines.py [--json FILE] [--gangs 200] [--nodes 64]

1. Submit to running: from the engine's `start` to the first rank's own first instant, against `sbatch` of a script
   that does `srun` of one task, both one after the other on idle nodes. Target: 1.5 x at most.
2. The control step's share of one core while queued gangs drain through Slurm. Target: below 10 %.
3. Virtual nodes that this host's Slurm starts, and how soon all are idle.
4. From a node's kill to its gang being queued again, against Slurm's own SlurmdTimeout. Target: 5 s more at most.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from petahour.engines.protocol import Launch, Phase
from petahour.engines.slurm.engine import SlurmEngine
from petahour.engines.slurm.settings import SlurmSettings
from petahour.engines.slurm.throwaway import ThrowawaySlurm
from petahour.engines.slurm.throwaway_conf import PARTITION, VirtualNode
from petahour.model.resources import Slot

TYPE, GRES, EACH = "a100-80g-sxm", "gpu:a100", 8
NODE_TIMEOUT_S = 10
LIMIT_S = 600.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--gangs", type=int, default=200)
    parser.add_argument("--nodes", type=int, default=64)
    parser.add_argument("--starts", type=int, default=10)
    options = parser.parse_args()
    nodes = [VirtualNode(name=f"n{number:03d}", gres=f"{GRES}:{EACH}") for number in range(options.nodes)]
    slurm = ThrowawaySlurm(nodes, node_timeout_s=NODE_TIMEOUT_S)
    try:
        began_s = time.monotonic()
        slurm.start()
        figures: dict[str, object] = {
            "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
            "slurm": slurm.command("sinfo", "--version").split()[-1],
            "nodes": options.nodes,
            "nodes_idle_s": round(time.monotonic() - began_s, 2),
        }
        with tempfile.TemporaryDirectory(prefix="petahour-bench-") as folder:
            figures |= submit_to_running(slurm, Path(folder), options.starts)
            figures |= drained(slurm, Path(folder), options.gangs)
            figures |= killed_node(slurm, Path(folder))
    finally:
        slurm.close()
    show(figures)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n", "utf-8")


# -- 1. submit to running ------------------------------------------------------------------------------------------


def submit_to_running(slurm: ThrowawaySlurm, folder: Path, count: int) -> dict[str, object]:
    """Medians and their ratio. The two kinds take turns, so that a busy host is busy for both."""
    engine = engine_on(slurm, folder / "starts")
    try:
        plain, ours = [], []
        for number in range(count):
            plain.append(plain_sbatch(slurm, folder / f"plain-{number}"))
            ours.append(by_engine(engine, folder / f"ours-{number}", f"alloc-{number}"))
    finally:
        engine.close()
    return {
        "sbatch_to_running_s": round(statistics.median(plain), 3),
        "engine_to_running_s": round(statistics.median(ours), 3),
        "ratio": round(statistics.median(ours) / statistics.median(plain), 2),
    }


def plain_sbatch(slurm: ThrowawaySlurm, mark: Path) -> float:
    script = f"#!/bin/sh\nexec srun --ntasks=1 --mpi=none sh -c 'date +%s.%N > {mark}.new; mv {mark}.new {mark}'\n"
    path = mark.with_suffix(".sh")
    path.write_text(script, "utf-8")
    began_s = time.time()
    slurm.command("sbatch", "--parsable", "--nodes=1", f"--gres={GRES}:1", "--output=/dev/null", str(path))
    until(mark.exists)
    return float(mark.read_text("utf-8")) - began_s


def by_engine(engine: SlurmEngine, mark: Path, name: str) -> float:
    script = f"date +%s.%N > {mark}.new; mv {mark}.new {mark}"
    began_s = time.time()
    engine.start(launch(mark.parent, script, name, Slot(node="n000", indexes=(0,))))
    until(mark.exists)
    until(lambda: any(one.allocation == name and one.phase is Phase.ENDED for one in engine.poll(full=True)))
    engine.forget(name)
    return float(mark.read_text("utf-8")) - began_s


def engine_on(slurm: ThrowawaySlurm, directory: Path) -> SlurmEngine:
    settings = SlurmSettings(
        partition=PARTITION, gres={GRES: TYPE}, rehearsal=True, python=sys.executable, conf=slurm.conf
    )
    engine = SlurmEngine(directory, settings=settings, clock_ms=lambda: time.time_ns() // 1_000_000)
    if not engine.await_nodes(20):
        raise SystemExit("Slurm does not answer")
    return engine


def launch(folder: Path, script: str, name: str, *slots: Slot) -> Launch:
    return Launch(
        allocation=name, job="job-1", tenant="bench", project="default", attempt=1, command=("sh", "-c", script),
        workdir=str(folder), environment=(), slot_environments=tuple(() for _ in slots), slots=slots, type=TYPE,
        rehearsal=True, cpu_affinity=False, walltime_ms=None, grace_ms=1_000, checkpoint_dir=None, memory_bytes=None,
        log_limit_bytes=1_000_000,
    )  # fmt: skip


# -- 2 and 4. with a control plane ---------------------------------------------------------------------------------


class Plane:
    """`petahour up` on the cluster, as a process of its own whose CPU time can be read."""

    def __init__(self, slurm: ThrowawaySlurm, home: Path) -> None:
        from petahour.client import Client

        home.mkdir()
        table = (
            f'partition = "{PARTITION}"\nrehearsal = true\npython = "{sys.executable}"\n[gres]\n"{GRES}" = "{TYPE}"\n'
        )
        (home / "slurm.toml").write_text(table, "utf-8")
        ready, key = home / "ready.json", home / "key"
        command = [sys.executable, "-m", "petahour.cli.main", "up", "--port", "0", "--engine", "slurm"]
        command += ["--slurm", str(home / "slurm.toml"), "--slurm-conf", str(slurm.conf), "--cpus", "0"]
        command += ["--data-dir", str(home / "data"), "--operator-key-file", str(key), "--ready-file", str(ready)]
        with (home / "log").open("wb") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        until(ready.exists)
        self.client = Client(json.loads(ready.read_text("utf-8"))["url"], key.read_text("utf-8").strip())
        self.client.create_tenant("bench", currency="CNY", title="Bench")
        self.client.topup("bench", "1000000.00", currency="CNY", key="first", note="")

    def cpu_s(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text("utf-8").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def submit(self, seconds: float, nodes: int) -> str:
        from petahour.client import JobRequest

        request = JobRequest(
            tenant="bench", command=("sleep", f"{seconds:g}"), types=(TYPE,), nodes=nodes, accelerators_per_node=1
        )
        return self.client.submit(request).id

    def close(self) -> None:
        self.client.close()
        self.process.terminate()
        self.process.wait(30)


def drained(slurm: ThrowawaySlurm, folder: Path, gangs: int) -> dict[str, object]:
    """CPU time of the whole control plane, its API and watch included, over wall time, while the queue drains."""
    plane = Plane(slurm, folder / "drained")
    try:
        jobs = [plane.submit(5, nodes=2) for _ in range(gangs)]
        cpu_s, began_s = plane.cpu_s(), time.monotonic()
        while any(job.state not in ("succeeded", "failed", "cancelled") for job in plane.client.every_job()):
            time.sleep(2)
            if time.monotonic() - began_s > LIMIT_S:
                raise SystemExit("the queue does not drain")
        wall_s = time.monotonic() - began_s
        states = [job.state for job in plane.client.every_job()]
        if states != ["succeeded"] * len(jobs):
            raise SystemExit(f"{states.count('failed')} gangs failed")
        share = (plane.cpu_s() - cpu_s) / wall_s
    finally:
        plane.close()
    return {"gangs": gangs, "drained_s": round(wall_s, 1), "control_plane_cpu_share": round(share, 3)}


def killed_node(slurm: ThrowawaySlurm, folder: Path) -> dict[str, object]:
    """From the kill of a node under a running gang to its second placement."""
    plane = Plane(slurm, folder / "killed")
    try:
        job = plane.submit(600, nodes=2)
        until(lambda: plane.client.job(job).state == "running")
        node = plane.client.job(job).allocations[0].slots[0].node
        began_s = time.monotonic()
        slurm.kill_node(node)
        down_s = 0.0

        def again() -> bool:
            nonlocal down_s
            if not down_s and "down" in slurm.command("sinfo", "--noheader", f"--nodes={node}", "--format=%T"):
                down_s = time.monotonic() - began_s
            return plane.client.job(job).attempt == 2

        until(again)
        requeued_s = time.monotonic() - began_s
        plane.client.cancel(job)
        until(lambda: plane.client.job(job).state == "cancelled")
    finally:
        plane.close()
    return {
        "node_timeout_s": NODE_TIMEOUT_S,
        "slurm_calls_it_down_after_s": round(down_s or requeued_s, 1),
        "requeued_after_s": round(requeued_s, 1),
    }


def until(true: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + LIMIT_S
    while not true():
        if time.monotonic() > deadline_s:
            raise SystemExit("waited in vain")
        time.sleep(0.02)


def show(figures: dict[str, object]) -> None:
    for name, value in figures.items():
        print(f"{name:32} {value}")


if __name__ == "__main__":
    main()
