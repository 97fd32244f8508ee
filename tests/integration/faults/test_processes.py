"""kill -9 of a rank and of a supervisor, and a clean stop: the gang fails as one, and the bill is right."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import psutil
from tests.integration.faults.plane import Plane, marks, rank_command, rank_process, require_once

GANG = {"accelerators_per_node": 2}


def test_a_killed_rank_fails_the_gang_as_one(plane: Plane) -> None:
    directory = plane.found_tenant()
    job = plane.submit(rank_command(60), gang=GANG)
    ranks = _running_ranks(plane, directory, job)

    ranks[1].kill()

    ended = plane.await_state(job, "failed")
    assert ended["exit_code"] == 128 + signal.SIGKILL
    assert (ended["attempt"], ended["failures"], ended["losses"]) == (1, 1, 0)
    _require_gone(plane, ranks)
    (record,) = _usage(plane, billed=True)
    (allocation,) = ended["allocations"]
    assert record["start_ms"] == allocation["started_ms"]
    assert record["end_ms"] == allocation["ended_ms"]
    assert record["billed_ams"] == 2 * (allocation["ended_ms"] - allocation["started_ms"]) > 0
    plane.require_sound()


def test_a_killed_rank_is_tried_again_when_retries_allow(plane: Plane) -> None:
    directory = plane.found_tenant()
    job = plane.submit(rank_command(2), gang=GANG, retries=1)
    _running_ranks(plane, directory, job)[0].kill()

    ended = plane.await_state(job, "succeeded", "failed")
    assert ended["state"] == "succeeded", ended
    assert (ended["attempt"], ended["failures"]) == (2, 1)
    require_once(directory)
    plane.require_sound()


def test_a_killed_supervisor_is_the_operators_loss(plane: Plane) -> None:
    directory = plane.found_tenant()
    job = plane.submit(rank_command(3), gang=GANG)
    ranks = _running_ranks(plane, directory, job)

    _supervisor(ranks[1]).kill()

    _require_lost_once(plane, directory, job)
    _require_gone(plane, ranks)


def test_a_supervisor_killed_while_the_control_plane_is_down(plane: Plane) -> None:
    directory = plane.found_tenant()
    job = plane.submit(rank_command(3), gang=GANG)
    ranks = _running_ranks(plane, directory, job)
    plane.kill()

    _supervisor(ranks[0]).kill()
    plane.start()

    _require_lost_once(plane, directory, job)
    _require_gone(plane, ranks)


def test_a_stop_leaves_jobs_running_and_a_start_takes_them_up(plane: Plane) -> None:
    directory = plane.found_tenant()
    short = plane.submit(rank_command(1))
    long = plane.submit(rank_command(6))
    _running_ranks(plane, directory, short, count=1)
    (rank,) = _running_ranks(plane, directory, long, count=1)
    before = plane.await_state(long, "running")["allocations"]

    assert plane.signal(signal.SIGTERM) == 0
    plane.until(lambda: ("end", short.replace("job-", "alloc-") + "-1", 0) in marks(directory), 10, "the short job")
    assert rank.is_running()
    plane.start()

    assert plane.job(long)["state"] == "running"
    assert rank.is_running()
    for job in (short, long):
        ended = plane.await_state(job, "succeeded", "failed")
        assert (ended["state"], ended["attempt"], len(ended["allocations"])) == ("succeeded", 1, 1), ended
    assert plane.job(long)["allocations"][0]["started_ms"] == before[0]["started_ms"]
    require_once(directory)
    plane.require_sound()


def test_walltime_ends_a_job_while_the_control_plane_is_down(plane: Plane) -> None:
    directory = plane.found_tenant()
    job = plane.submit(rank_command(60), walltime="2s")
    (rank,) = _running_ranks(plane, directory, job, count=1)
    plane.kill()
    plane.until(lambda: not rank.is_running(), 15, "the walltime to end the rank")
    plane.start()

    ended = plane.await_state(job, "failed")
    allocation = ended["allocations"][0]
    assert allocation["end_kind"] == "walltime"
    assert 2_000 <= allocation["ended_ms"] - allocation["started_ms"] < 5_000
    plane.require_sound()


def _running_ranks(plane: Plane, directory: Path, job: str, *, count: int = 2) -> list[psutil.Process]:
    """The processes of the ranks, once all of them run."""
    plane.until(
        lambda: all((directory / f"pid-{job}-{rank}").exists() for rank in range(count)), 20, f"the ranks of {job}"
    )
    plane.await_state(job, "running")
    return [rank_process(directory, job, rank) for rank in range(count)]


def _supervisor(rank: psutil.Process) -> psutil.Process:
    parent = rank.parent()
    assert parent is not None
    assert parent.pid != 1, "the rank has no supervisor"
    return parent


def _require_lost_once(plane: Plane, directory: Path, job: str) -> None:
    ended = plane.await_state(job, "succeeded", "failed", within_s=60)
    assert ended["state"] == "succeeded", ended
    assert (ended["attempt"], ended["failures"], ended["losses"]) == (2, 0, 1)
    assert [one["end_kind"] for one in ended["allocations"]] == ["lost", "succeeded"]
    lost, _ = ended["allocations"]
    reasons = {one["waive_reason"] for one in _usage(plane, billed=False) if one["allocation"] == lost["id"]}
    assert "lost" in reasons
    assert all(one["allocation"] != lost["id"] for one in _usage(plane, billed=True))
    require_once(directory)
    plane.require_sound()


def _require_gone(plane: Plane, processes: list[psutil.Process]) -> None:
    plane.until(lambda: not any(_alive(process) for process in processes), 10, "every rank to be gone")


def _alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _usage(plane: Plane, *, billed: bool) -> list[Any]:
    records: list[Any] = plane.get("/v1/tenants/acme/usage")["records"]
    return [record for record in records if (record["billed_ams"] > 0) is billed]
