"""The leader stands still at the worst instant, between its intent and the act, until all of it is over elsewhere."""

from __future__ import annotations

import fcntl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.integration.engines.harness import until

from petahour.cli.assembly import Assembly, assemble
from petahour.cli.place import ReplicaOptions
from petahour.control.cancel import visible_job
from petahour.control.credit import add_credit
from petahour.control.request import JobRequest
from petahour.control.submit import submit
from petahour.control.tenants import create_tenant
from petahour.engines.crew import AtRest
from petahour.model.jobs import JobState
from petahour.model.tenants import Caller, Role

LEASE_MS = 3_000
OPERATOR = Caller(key="", user="operator", role=Role.OPERATOR, tenant=None)
Make = Callable[[str], Assembly]


@pytest.fixture
def make(tmp_path: Path, database_url: str) -> Iterator[Make]:
    made: list[Assembly] = []

    def assembled(name: str) -> Assembly:
        made.append(
            assemble(
                data_dir=tmp_path / "data", database_url=database_url, fleet_file=None, prices_file=None,
                catalog_file=None, cpus=2, replica=ReplicaOptions(name=name, ttl_ms=LEASE_MS, url=f"http://{name}"),
            )
        )  # fmt: skip
        return made[-1]

    yield assembled
    for one in made:
        one.close()


@pytest.mark.parametrize("instant", ["start", "_prepare", "_spawn_rank"])
def test_a_start_that_comes_after_the_end(make: Make, instant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    old = make("a")
    stands, goes_on = threading.Event(), threading.Event()
    engine = old.context.engines["local"]
    real = getattr(engine, instant)

    def standing_still(*arguments: Any) -> Any:
        stands.set()
        assert goes_on.wait(60)
        return real(*arguments)

    monkeypatch.setattr(engine, instant, standing_still)
    # Its lease is not renewed: a process that stands still renews nothing.
    old.loop.start()
    create_tenant(old.context, OPERATOR, name="acme", title="", currency="CNY")
    add_credit(old.context, OPERATOR, "acme", amount="100.00", currency="CNY", key="first", note="")
    request = JobRequest(tenant="acme", command=("sh", "-c", "echo run >> runs"), types=("cpu",))
    job, _ = submit(old.context, OPERATOR, request)
    assert stands.wait(20)

    new = make("b")
    new.start()
    until(lambda: _state(new, job.id) is JobState.SUCCEEDED, "the other replica to run it")
    until(lambda: not list((new.context.data_dir / "engine" / "allocations").iterdir()), "its state to be forgotten")
    with new.context.store.read() as tx:
        before = tx.events.last_seq()
    goes_on.set()
    assert old.leased is not None
    old.leased.look()
    until(lambda: isinstance(old.context.engines["local"], AtRest), "the old leader to let go")
    with new.context.store.read() as tx:
        assert tx.events.last_seq() == before
        project = tx.people.project("acme", "default")
    assert project is not None
    # Whatever it started has seen that all is over.
    until(lambda: not _running_supervisors(new), "what it started to end")
    assert (Path(project.directory) / "runs").read_text("utf-8") == "run\n"
    assert (old.context.leadership.epoch, new.context.leadership.epoch) == (None, 2)


def _state(plane: Assembly, job: str) -> JobState:
    with plane.context.store.read() as tx:
        return visible_job(tx, OPERATOR, job).state


def _running_supervisors(plane: Assembly) -> list[Path]:
    """Ranks whose lock somebody holds."""
    held = []
    for lock in (plane.context.data_dir / "engine" / "allocations").glob("*/rank-*/lock"):
        with lock.open("r+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                held.append(lock)
    return held
