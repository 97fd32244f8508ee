"""PostgreSQL goes away for ten seconds under running jobs: callers are told, jobs run on, nothing is lost."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator

import pytest
from tests.integration.faults.conftest import MakePlane
from tests.integration.faults.plane import marks, rank_command, require_once
from tests.integration.postgres import PostgresServer

AWAY_S = 10.0


@pytest.fixture
def postgres() -> Iterator[PostgresServer]:
    server = PostgresServer()
    try:
        server.start()
        yield server
    finally:
        server.close()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT], ids=["stopped", "crashed"])
def test_ten_seconds_without_the_database(
    postgres: PostgresServer, make_plane: MakePlane, how: signal.Signals
) -> None:
    plane = make_plane(database_url=postgres.new_database())
    plane.start()
    directory = plane.found_tenant()
    long = plane.submit(rank_command(AWAY_S + 4))
    short = plane.submit(rank_command(3))
    waiting = plane.submit(rank_command(0.2), gang={"accelerators_per_node": 2}, key="w-1")
    for job in (long, short):
        plane.await_state(job, "running")

    postgres.stop(how)
    gone_s = time.monotonic()
    refused = 0
    while time.monotonic() < gone_s + AWAY_S:
        for method, path in (("GET", "/v1/jobs"), ("POST", "/v1/jobs")):
            body = {"tenant": "acme", "command": ["true"]} if method == "POST" else None
            answer = plane.request(method, path, json=body, headers={"Idempotency-Key": "meanwhile"})
            assert answer.status_code == 503, answer.text
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.headers["retry-after"]
            assert answer.json()["field"] == "database"
            refused += 1
        assert plane.request("GET", "/healthz").status_code == 200
        time.sleep(0.5)
    assert refused >= 4
    # The short job has ended by itself meanwhile, and nobody could be told.
    assert ("end", short.replace("job-", "alloc-") + "-1", 0) in marks(directory)
    postgres.start()

    plane.until(lambda: plane.request("GET", "/v1/whoami").status_code == 200, 15, "the API to answer again")
    assert plane.submit(rank_command(0.2), gang={"accelerators_per_node": 2}, key="w-1") == waiting
    meanwhile = plane.submit(["true"], key="meanwhile")
    jobs = {job["id"]: job for job in plane.await_drained(within_s=40)}
    assert set(jobs) == {long, short, waiting, meanwhile}, "what was answered with 503 was not stored"
    for job in jobs.values():
        assert (job["state"], job["attempt"]) == ("succeeded", 1), job
    require_once(directory)
    plane.require_sound()
