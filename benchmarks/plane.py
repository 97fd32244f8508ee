"""A real control plane for a benchmark: `petahour up` as a process of its own, stopped at the end."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx


@dataclass(frozen=True, kw_only=True)
class Plane:
    """Where it serves, its process id, the operator's key."""

    url: str
    pid: int
    key: str
    data_dir: Path

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {self.key}"}, timeout=30)


@contextmanager
def control_plane(*, fleet: str = "", database_url: str | None = None, cpus: int = 2) -> Iterator[Plane]:
    """Start, yield, stop with SIGTERM."""
    with tempfile.TemporaryDirectory(prefix="petahour-bench-") as folder:
        data_dir = Path(folder)
        (data_dir / "fleet.toml").write_text(fleet)
        command = [sys.executable, "-m", "petahour.cli.main", "up", "--data-dir", folder, "--port", "0"]
        command += ["--fleet", str(data_dir / "fleet.toml"), "--cpus", str(cpus), "--log-level", "error"]
        command += ["--operator-key-file", str(data_dir / "key"), "--ready-file", str(data_dir / "ready")]
        if database_url:
            command += ["--database-url", database_url]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            while not (data_dir / "ready").exists():
                if process.poll() is not None:
                    raise SystemExit(f"petahour up ended with {process.returncode}")
                time.sleep(0.02)
            ready = json.loads((data_dir / "ready").read_text())
            key = (data_dir / "key").read_text().strip()
            yield Plane(url=ready["url"], pid=ready["pid"], key=key, data_dir=data_dir)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


def tenant_with_credit(client: httpx.Client, name: str = "bench") -> None:
    """A tenant in CNY with ample credit."""
    client.post("/v1/tenants", json={"name": name, "currency": "CNY"}).raise_for_status()
    body = {"amount": "1000000", "currency": "CNY", "key": "first"}
    client.post(f"/v1/tenants/{name}/topups", json=body).raise_for_status()
