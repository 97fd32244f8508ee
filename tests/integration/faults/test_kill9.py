"""kill -9 of the control plane at random instants under a mix of jobs: nothing lost, nothing twice, money exact."""

from __future__ import annotations

import random
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.integration.faults.conftest import MakePlane
from tests.integration.faults.plane import Plane, marks, rank_command, require_once

KILLS = 30
TENANTS = 2
MAX_JOBS = 60


@dataclass
class Tenant:
    """A client that keeps submitting and cancelling, and repeats what was not acknowledged, key and all."""

    plane: Plane
    number: int
    random: random.Random
    closing: threading.Event
    acknowledged: dict[str, str] = field(default_factory=dict)
    answers: list[int] = field(default_factory=list)
    repeated: int = 0

    def run(self) -> None:
        with httpx.Client(base_url=self.plane.url, timeout=10) as http:
            while not self.closing.is_set() and len(self.acknowledged) < MAX_JOBS:
                self._submit(http)
                if self.acknowledged and self.random.random() < 0.15:
                    self._call(
                        http, f"/v1/jobs/{self.random.choice(list(self.acknowledged.values()))}/cancel", {}, ""
                    )
                self.closing.wait(self.random.uniform(0.05, 1.0))

    def _submit(self, http: httpx.Client) -> None:
        key = f"key-{self.number}-{len(self.acknowledged)}"
        body = {"name": key, "tenant": "acme", "grace": "1s", **self._shape()}
        answer = self._call(http, "/v1/jobs", body, key)
        if answer is None:
            return
        self.acknowledged[key] = answer["id"]
        if self.random.random() < 0.3:
            again = self._call(http, "/v1/jobs", body, key)
            assert again is None or again["id"] == answer["id"]

    def _shape(self) -> dict[str, Any]:
        seconds = self.random.choice([0.1, 0.2, 0.4, 1.0])
        kind = self.random.randrange(6)
        show = {"types": ["a100-80g-sxm"]}
        if kind == 0:
            return {"command": rank_command(2.0), "tier": "spot"}
        if kind == 1:
            return {"command": rank_command(seconds), "gang": {"nodes": 2, "accelerators_per_node": 1}, **show}
        if kind == 2:
            return {"command": rank_command(seconds, exit_code=3), "retries": 1}
        if kind == 3:
            return {"command": rank_command(2.0), "tier": "spot", "gang": {"accelerators_per_node": 2}, **show}
        if kind == 4:
            return {"command": rank_command(seconds), "gang": {"accelerators_per_node": 2}}
        return {"command": rank_command(seconds)}

    def _call(self, http: httpx.Client, path: str, body: dict[str, Any], key: str) -> Any:
        """Send until answered, through any number of crashes; None when the test ends first."""
        headers = {"Idempotency-Key": key} if key else {}
        while not self.closing.is_set():
            try:
                answer = http.post(path, json=body, headers={**headers, **self.plane.authorization})
            except httpx.TransportError:
                self.repeated += 1
                time.sleep(0.05)
                continue
            self.answers.append(answer.status_code)
            if answer.status_code < 300:
                return answer.json()
            assert answer.status_code == 409, answer.text  # Too late to cancel.
            return None
        return None


@pytest.mark.timeout(280)
def test_thirty_kills_lose_nothing(make_plane: MakePlane) -> None:
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")  # noqa: T201 - a failing run is repeated from it
    chance = random.Random(seed)
    plane = make_plane()
    plane.start()
    directory = plane.found_tenant()
    # One preemption is sure, whatever chance makes of the others; the kills come upon it.
    whole = {"gang": {"nodes": 2, "accelerators_per_node": 2}, "types": ["a100-80g-sxm"]}
    spot = plane.submit(rank_command(10), name="yields", tier="spot", **whole)
    plane.await_state(spot, "running")
    plane.submit(rank_command(0.5), name="displaces", **whole)
    closing = threading.Event()
    tenants = [Tenant(plane, number, random.Random(seed + number), closing) for number in range(TENANTS)]
    failures: list[BaseException] = []

    def guarded(tenant: Tenant) -> None:
        try:
            tenant.run()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=guarded, args=(tenant,)) for tenant in tenants]
    for thread in threads:
        thread.start()
    _kill_again_and_again(plane, chance)
    closing.set()
    for thread in threads:
        thread.join()
    assert failures == []

    jobs = plane.await_drained(within_s=90)
    _require_exactly_once(jobs, tenants)
    _require_whole(plane, directory, jobs)
    require_once(directory)
    plane.require_sound()


def _kill_again_and_again(plane: Plane, chance: random.Random) -> None:
    """Kill, and start again: mostly while it works, now and then while it still starts."""
    for _ in range(KILLS):
        if chance.random() < 0.8:
            plane.await_ready()
            time.sleep(chance.uniform(0, 0.8))
        else:
            time.sleep(chance.uniform(0, 0.8))
        plane.kill()
        plane.spawn()
    plane.await_ready()


def _require_exactly_once(jobs: list[Any], tenants: list[Tenant]) -> None:
    acknowledged = {name: job for tenant in tenants for name, job in tenant.acknowledged.items()}
    stored = [job["name"] for job in jobs]
    assert len(stored) == len(set(stored)), "a key made two jobs"
    by_name = {job["name"]: job["id"] for job in jobs}
    assert {name: by_name.get(name) for name in acknowledged} == acknowledged
    assert len(acknowledged) >= 30, "too few submissions to mean anything"
    assert sum(tenant.repeated for tenant in tenants) >= 10, "the crashes hit no client"


def _require_whole(plane: Plane, directory: Path, jobs: list[Any]) -> None:
    """A job that succeeded ran every rank of its last attempt to the end; one that failed had its retries."""
    seen = set(marks(directory))
    for job in jobs:
        assert job["losses"] == 0, "what runs outlives the control plane"
        last = plane.job(job["id"])["allocations"][-1:]
        if job["state"] == "succeeded":
            ranks = job["gang"]["nodes"] * job["gang"]["accelerators_per_node"]
            assert {("end", last[0]["id"], rank) for rank in range(ranks)} <= seen, job
        if job["state"] == "failed":
            assert job["exit_code"] == 3, job
            assert job["failures"] == 2, job
    # The mix was one: everything that it is there for did happen.
    assert {job["state"] for job in jobs} == {"succeeded", "failed", "cancelled"}
    assert sum(job["preemptions"] for job in jobs) > 0
