"""A real control plane in a process of its own, that a test may kill and start again."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx
import psutil

START_S = 30.0
FINAL = frozenset({"succeeded", "failed", "cancelled"})
FLEET = """
[[node]]
name = "show"
count = 2
type = "a100-80g-sxm"
accelerators = 2
rehearsal = true
"""

# Every rank takes a lock of its job and rank for as long as it lives, and leaves a mark when it begins and ends.
# The lock goes with the last process that has it open, so that two attempts that overlap are seen, however short.
RANK = r"""
mark() { echo "$1 $PETAHOUR_ALLOCATION_ID $RANK" >> marks; }
exec 9>> "lock-$PETAHOUR_JOB_ID-$RANK"
flock --nonblock 9 || { mark twice; exit 99; }
mark start
echo $$ > "pid-$PETAHOUR_JOB_ID-$RANK"
trap 'mark stopped; kill $child; exit 143' TERM
sleep "$1" & child=$!
wait $child
mark end
exit "${2:-0}"
"""


def rank_command(seconds: float, exit_code: int = 0) -> list[str]:
    """A command that takes its lock, sleeps and exits."""
    return ["sh", "-c", RANK, "rank", f"{seconds:g}", str(exit_code)]


class Plane:
    """`petahour up` on one data directory and one port, start after start. ``name``: of one of several replicas."""

    def __init__(
        self,
        home: Path,
        *,
        database_url: str | None = None,
        cpus: int = 2,
        prefix: tuple[str, ...] = (),
        options: tuple[str, ...] = (),
        fleet: str = FLEET,
        name: str = "",
    ) -> None:
        self.home = home
        self.data = home / "data"
        self.log = home / f"up{name}.log"
        self._ready, self._key = home / f"ready{name}.json", home / "operator.key"
        fleet_file = home / "fleet.toml"
        fleet_file.write_text(fleet, "utf-8")
        port = _free_port()
        self.url = f"http://127.0.0.1:{port}"
        self._command = [
            *prefix,
            *(sys.executable, "-m", "petahour.cli.main", "up", "--port", str(port), "--cpus", str(cpus)),
            *("--data-dir", str(self.data), "--fleet", str(fleet_file)),
            *("--operator-key-file", str(self._key), "--ready-file", str(self._ready)),
            *(("--database-url", database_url) if database_url else ()),
            *(("--replica", name) if name else ()),
            *options,
        ]
        self._database_url = database_url
        self._process: subprocess.Popen[bytes] | None = None
        self._http = httpx.Client(base_url=self.url, timeout=10)

    # -- the process ---------------------------------------------------------------------------------------

    def spawn(self) -> None:
        """Start the process without waiting for it to serve."""
        self._ready.unlink(missing_ok=True)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True
            )

    def start(self) -> None:
        """Start and wait until it serves."""
        self.spawn()
        self.await_ready()

    def await_ready(self) -> None:
        process = self._process
        assert process is not None

        def served() -> bool:
            assert process.poll() is None, f"the control plane ended by itself:\n{self.tail()}"
            return self._ready.exists()

        self.until(served, START_S, "the control plane to serve")
        assert json.loads(self._ready.read_text("utf-8"))["url"] == self.url
        self._http.headers.update(self.authorization)

    @property
    def key(self) -> str:
        """The operator's key."""
        return self._key.read_text("utf-8").strip()

    @property
    def authorization(self) -> dict[str, str]:
        """The operator's header."""
        return {"Authorization": f"Bearer {self.key}"}

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        """kill -9."""
        self.signal(signal.SIGKILL)

    def hold(self) -> None:
        """SIGSTOP: the process stands still, as under a host that was paused."""
        os.kill(self.pid, signal.SIGSTOP)

    def release(self) -> None:
        """SIGCONT: it goes on where it stood."""
        os.kill(self.pid, signal.SIGCONT)

    def signal(self, number: signal.Signals) -> int:
        """Send a signal and wait for the end; the exit status."""
        process = self._process
        assert process is not None
        process.send_signal(number)
        return process.wait(30)

    def close(self) -> None:
        """End the control plane and whatever it started that still runs on this data directory."""
        self._http.close()
        if self._process is not None and self._process.poll() is None:
            self.kill()
        for process in self.started():
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue

    def started(self) -> list[psutil.Process]:
        """Supervisors and ranks: processes that name this data directory or work in it."""
        found = []
        for process in psutil.process_iter():
            try:
                mentions = [*process.cmdline(), process.cwd()]
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
            if process.pid != os.getpid() and any(str(self.home) in text for text in mentions):
                found.append(process)
        return found

    def tail(self) -> str:
        return self.log.read_text("utf-8", "replace")[-4_000:]

    # -- the API -------------------------------------------------------------------------------------------

    def request(self, method: str, path: str, **rest: Any) -> httpx.Response:
        return self._http.request(method, path, **rest)

    def get(self, path: str) -> Any:
        answer = self.request("GET", path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, body: Mapping[str, object], *, key: str | None = None) -> Any:
        headers = {"Idempotency-Key": key} if key else {}
        answer = self.request("POST", path, json=body, headers=headers)
        assert answer.status_code in (200, 201, 202), answer.text
        return answer.json()

    def found_tenant(self, name: str = "acme", credit: str = "100000.00") -> Path:
        """A tenant with credit; the directory its jobs live in."""
        self.post("/v1/tenants", {"name": name, "currency": "CNY"})
        self.post(f"/v1/tenants/{name}/topups", {"amount": credit, "currency": "CNY", "key": "first"})
        directory: str = self.get(f"/v1/tenants/{name}/projects")["projects"][0]["directory"]
        return Path(directory)

    def submit(self, command: list[str], *, key: str | None = None, **rest: object) -> str:
        body = {"tenant": "acme", "command": command, "grace": "2s", **rest}
        job: str = self.post("/v1/jobs", body, key=key)["id"]
        return job

    def job(self, job: str) -> Any:
        return self.get(f"/v1/jobs/{job}")

    def jobs(self) -> list[Any]:
        """Every job, newest first."""
        found: list[Any] = []
        before = None
        while True:
            page = self.get("/v1/jobs?limit=500" + (f"&before_seq={before}" if before else ""))
            found += page["jobs"]
            before = page["next_before_seq"]
            if before is None:
                return found

    def await_state(self, job: str, *states: str, within_s: float = 30) -> Any:
        """Wait until the job is in one of the states."""
        self.until(lambda: self.job(job)["state"] in states, within_s, f"{job} to be {' or '.join(states)}")
        return self.job(job)

    def await_drained(self, within_s: float) -> list[Any]:
        """Wait until every job has ended; all of them."""
        self.until(lambda: all(job["state"] in FINAL for job in self.jobs()), within_s, "every job to end")
        return self.jobs()

    def until(self, true: Callable[[], bool], within_s: float, what: str) -> None:
        """Look until it is true, or fail saying what was waited for."""
        deadline = time.monotonic() + within_s
        while not true():
            if time.monotonic() > deadline:
                raise AssertionError(f"waited {within_s} s in vain for {what}\n{self.tail()}")
            time.sleep(0.05)

    def require_sound(self) -> None:
        """The auditor and the conservation check find nothing."""
        audit = self.get("/v1/audit")
        assert [check for check in audit["checks"] if not check["ok"]] == []
        assert audit["ok"]
        conservation = self.get("/v1/conservation")
        assert conservation["faults"] == []
        assert conservation["ok"]
        self.require_proven()

    def require_proven(self) -> None:
        """`petahour ledger verify`, a process of its own, proves the ledger from the database itself."""
        command = [sys.executable, "-m", "petahour.cli.main", "ledger", "verify", "--data-dir", str(self.data)]
        command += ["--database-url", self._database_url] if self._database_url else []
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


def marks(directory: Path) -> list[tuple[str, str, int]]:
    """What the ranks left behind: ``(mark, allocation, rank)`` in the order they happened."""
    lines = (directory / "marks").read_text("utf-8").splitlines() if (directory / "marks").exists() else []
    return [(mark, allocation, int(rank)) for mark, allocation, rank in (line.split() for line in lines)]


def require_once(directory: Path) -> None:
    """No rank of an allocation started twice, and none while another attempt of its job still ran."""
    seen = marks(directory)
    starts = [(allocation, rank) for mark, allocation, rank in seen if mark == "start"]
    assert len(starts) == len(set(starts))
    assert [mark for mark in seen if mark[0] == "twice"] == []


def rank_process(directory: Path, job: str, rank: int) -> psutil.Process:
    """The process of a running rank."""
    return psutil.Process(int((directory / f"pid-{job}-{rank}").read_text("utf-8")))


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
