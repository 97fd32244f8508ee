"""The demonstration's control plane: `petahour up` as a process of its own, stopped whatever happens."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from petahour.cli.demo.fleet import Fleet
from petahour.client import Client, PetahourError, UnavailableError
from petahour.model.jobs import FINAL_STATES, JobState

READY_LIMIT_S = 30.0
STOP_LIMIT_S = 20.0
CANCEL_LIMIT_S = 15.0
LEAST_CPUS = 2
MOST_CPUS = 4

# A core costs 1.00 CNY or 0.20 USD a second here, so that half a minute makes an invoice with figures to look at.
PRICES = """\
[[price_book]]
id = "demo-cny"
currency = "CNY"
effective = 1970-01-01T00:00:00Z

[price_book.prices]
cpu = { on-demand = "3600.00" }
a100-80g-sxm = { on-demand = "14.00", spot = "5.60" }
ascend-910b3 = { on-demand = "9.00", spot = "3.60" }
mtt-s4000 = { on-demand = "5.00", spot = "2.00" }

[[price_book]]
id = "demo-usd"
currency = "USD"
effective = 1970-01-01T00:00:00Z

[price_book.prices]
cpu = { on-demand = "720.00" }
a100-80g-sxm = { on-demand = "2.00", spot = "0.80" }
ascend-910b3 = { on-demand = "1.30", spot = "0.52" }
mtt-s4000 = { on-demand = "0.70", spot = "0.28" }
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Plane:
    """A control plane that serves, and the operator's key for it. ``cpus``: how many it rents of this host."""

    url: str
    key: str = field(repr=False)
    cpus: int
    log: Path


@contextmanager
def control_plane(directory: Path, fleet: Fleet) -> Iterator[Plane]:
    """Start one in the directory, and stop it at the end: jobs cancelled, SIGTERM, and a kill if that is ignored."""
    key, ready = directory / "operator.key", directory / "ready.json"
    log = directory / "control-plane.log"
    prices = directory / "prices.toml"
    prices.write_text(PRICES, "utf-8")
    cpus = max(LEAST_CPUS, min(MOST_CPUS, len(os.sched_getaffinity(0))))
    options = {
        "--data-dir": directory / "data",
        "--port": 0,
        "--prices": prices,
        "--cpus": cpus,
        "--operator-key-file": key,
        "--ready-file": ready,
        **fleet.options,
    }
    command = [sys.executable, "-m", "petahour.cli.main", "up"]
    command += [str(word) for option in options.items() for word in option]
    # Nothing of the caller's own Petahour, such as its database, may reach this one.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PETAHOUR_")}
    with log.open("wb") as output:
        # A session of its own: Ctrl-C is for the demonstration, which then stops the control plane in order.
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
        )
    plane = None
    try:
        plane = Plane(url=_ready_url(process, ready, log), key=key.read_text("utf-8").strip(), cpus=cpus, log=log)
        yield plane
    finally:
        with _undisturbed():
            if plane is not None:
                with suppress(PetahourError):
                    _cancel_all(plane)
            _stop(process)


def _ready_url(process: subprocess.Popen[bytes], ready: Path, log: Path) -> str:
    deadline_s = time.monotonic() + READY_LIMIT_S
    while time.monotonic() < deadline_s and process.poll() is None:
        if ready.exists():
            return str(json.loads(ready.read_text("utf-8"))["url"])
        time.sleep(0.05)
    tail = " / ".join(log.read_text("utf-8", "replace").splitlines()[-3:])
    raise UnavailableError(
        field="control plane",
        value=tail or None,
        rule="it did not start" if process.poll() is not None else f"it did not serve within {READY_LIMIT_S:g} s",
        remedy='Try "petahour up" by itself.',
    )


def _cancel_all(plane: Plane) -> None:
    """Cancel what is not over, and wait until its processes are gone."""
    active = [state for state in JobState if state not in FINAL_STATES]
    with Client(plane.url, plane.key, timeout_s=10, retries=1) as client:
        left = [job.id for job in client.every_job(states=active)]
        for job in left:
            with suppress(PetahourError):
                client.cancel(job)
        for job in left:
            with suppress(PetahourError):
                client.wait(job, timeout_s=CANCEL_LIMIT_S, poll_s=0.2)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_LIMIT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextmanager
def _undisturbed() -> Iterator[None]:
    """A second Ctrl-C must not leave the control plane and its jobs behind."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
