"""Takeover: how long nothing new starts after the leading replica was killed, on a throw-away PostgreSQL.

    python benchmarks/takeover.py [--kills 10] [--queued 500] [--lease 5]

Two replicas with a queue; the leader is killed with SIGKILL again and again, and started again as the follower. Each
time the clock runs from the kill until (a) the other one says that it leads, (b) a job that was submitted to it
just after the kill has started. Baseline: the same kill of a control plane without replicas, started again at once
by a hand that waits for nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import httpx

from plane import tenant_with_credit
from report import Figure, show

LIMIT_S = 60.0


class Process:
    """One `petahour up`, started again and again on the same place."""

    def __init__(self, home: Path, url: str, *options: str) -> None:
        self._home, self._name = home, "-".join(options[:2]).strip("-") or "sole"
        self._command = [sys.executable, "-m", "petahour.cli.main", "up", "--port", "0", "--cpus", "2"]
        self._command += ["--data-dir", str(home / "data"), "--database-url", url, "--log-level", "warning"]
        self._command += ["--operator-key-file", str(home / "key"), *options]
        self.http = httpx.Client()

    def start(self) -> None:
        ready = self._home / f"{self._name}.ready"
        ready.unlink(missing_ok=True)
        with (self._home / f"{self._name}.log").open("ab") as log:
            self.process = subprocess.Popen([*self._command, "--ready-file", str(ready)], stdout=log, stderr=log)
        until(ready.exists)
        key = (self._home / "key").read_text("utf-8").strip()
        self.http = httpx.Client(
            base_url=json.loads(ready.read_text("utf-8"))["url"],
            headers={"Authorization": f"Bearer {key}"},
            timeout=30,
        )

    def leads(self) -> bool:
        return bool(self.http.get("/healthz").json().get("role") == "leader")

    def submit(self, seconds: float, **rest: object) -> str:
        body = {"tenant": "bench", "command": ["sleep", f"{seconds:g}"], **rest}
        job: str = self.http.post("/v1/jobs", json=body).raise_for_status().json()["id"]
        return job

    def started_ms(self, job: str) -> int | None:
        found: int | None = self.http.get(f"/v1/jobs/{job}").json()["started_ms"]
        return found

    def kill(self) -> float:
        self.process.kill()
        at_s = time.time()
        self.process.wait()
        return at_s

    def close(self) -> None:
        self.http.close()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(30)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--queued", type=int, default=500)
    parser.add_argument("--lease", type=float, default=5.0)
    options = parser.parse_args()
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "integration"))
    from postgres import PostgresServer

    server = PostgresServer(fsync=True)
    try:
        server.start()
        with tempfile.TemporaryDirectory(prefix="petahour-bench-") as folder:
            home = Path(folder)
            (home / "one").mkdir()
            (home / "two").mkdir()
            restarted = by_hand(Process(home / "one", server.new_database()), options.kills, options.queued)
            url = server.new_database()
            pair = [
                Process(home / "two", url, "--replica", name, "--lease", f"{options.lease:g}") for name in ("a", "b")
            ]
            led, started = taken_over(pair, options.kills, options.queued)
    finally:
        server.close()
    name = f"kill, start again at once, median of {options.kills}"
    base = statistics.median(restarted)
    kinds = {"until the other one leads": led, "until a job submitted after the kill starts": started}
    figures = []
    for title, values in kinds.items():
        for word, value in (("median", statistics.median(values)), ("longest", max(values))):
            target = {"target": "< 10 s", "ok": value < 10} if word == "longest" else {}
            figures.append(
                Figure(name=f"{title}, {word}", value=value, unit="s", baseline_name=name, baseline=base, **target)  # type: ignore[arg-type]
            )
    title = f"Takeover, lease {options.lease:g} s, {options.queued} jobs queued, {options.kills} kills, PostgreSQL"
    return show(title, figures)


def by_hand(process: Process, kills: int, queued: int) -> list[float]:
    """From the kill of the only one to the start of a job that was submitted as soon as it served again."""
    process.start()
    fill(process, queued)
    took = []
    try:
        for _ in range(kills):
            at_s = process.kill()
            process.start()
            took.append(first_start(process, at_s))
        end_jobs(process)
    finally:
        process.close()
    return took


def taken_over(pair: list[Process], kills: int, queued: int) -> tuple[list[float], list[float]]:
    """From the kill of the leader to the other's lead, and to the start of a job that the other took at once."""
    leader, follower = pair
    for process in pair:
        process.start()
    fill(leader, queued)
    led, started, chance = [], [], random.Random(7)
    try:
        for _ in range(kills):
            time.sleep(chance.uniform(0, 2))  # anywhere between two renewals
            at_s = leader.kill()
            job = urgent(follower)
            until(follower.leads)
            led.append(time.time() - at_s)
            started.append(await_start(follower, job) / 1_000 - at_s)
            leader.start()
            leader, follower = follower, leader
        end_jobs(leader)
    finally:
        for process in pair:
            process.close()
    return led, started


def fill(process: Process, queued: int) -> None:
    """One that runs throughout, one whole host that waits behind it, and so many of the same behind that."""
    tenant_with_credit(process.http)
    process.submit(3_600)
    for _ in range(queued):
        process.submit(1, gang={"accelerators_per_node": 2}, types=["cpu"])


def end_jobs(process: Process) -> None:
    """What runs outlives its control plane, so that it is cancelled first, and its end waited for."""
    listed = "/v1/jobs?limit=1000&state=queued&state=starting&state=running&state=stopping"
    while jobs := process.http.get(listed).raise_for_status().json()["jobs"]:
        for job in jobs:
            if job["state"] != "stopping":
                process.http.post(f"/v1/jobs/{job['id']}/cancel", json={})
        time.sleep(0.2)


def urgent(process: Process) -> str:
    return process.submit(0.01, types=["cpu"], priority=100)


def first_start(process: Process, since_s: float) -> float:
    return await_start(process, urgent(process)) / 1_000 - since_s


def await_start(process: Process, job: str) -> int:
    until(lambda: process.started_ms(job) is not None)
    return process.started_ms(job) or 0


def until(true: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + LIMIT_S
    while not true():
        if time.monotonic() > deadline_s:
            raise SystemExit("waited in vain")
        time.sleep(0.02)


if __name__ == "__main__":
    os.environ.pop("PETAHOUR_DATABASE_URL", None)
    raise SystemExit(main())
