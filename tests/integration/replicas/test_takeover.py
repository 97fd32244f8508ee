"""Two replicas: whatever happens to the leader, the other takes over, nothing is lost, run twice or billed twice."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import psycopg
from tests.integration.faults.plane import Plane, rank_command, require_once
from tests.integration.replicas.conftest import MakeReplica

TAKEOVER_S = 10.0
UNTIL_TOLD = ["sh", "-c", "while [ ! -e go ]; do sleep 0.1; done; echo once >> told"]


def role(replica: Plane) -> str:
    told: str = replica.get("/healthz")["role"]
    return told


def await_lead(replica: Plane, within_s: float = TAKEOVER_S) -> None:
    replica.until(lambda: role(replica) == "leader", within_s, "the other replica to lead")


def require_all_succeeded(replica: Plane, jobs: list[str]) -> None:
    """Every one of these jobs, and no other, has run in full at its first attempt."""
    ended = {job["id"]: job for job in replica.await_drained(within_s=40)}
    assert set(ended) == set(jobs)
    for job in ended.values():
        assert (job["state"], job["attempt"], job["losses"]) == ("succeeded", 1, 0), job


def test_a_killed_leader(pair: tuple[Plane, Plane]) -> None:
    leader, follower = pair
    assert (role(leader), role(follower)) == ("leader", "follower")
    directory = leader.found_tenant()
    held = leader.submit(UNTIL_TOLD)
    running = [held, follower.submit(rank_command(3))]
    for job in running:
        # What one replica took the other one runs, and both tell of it.
        follower.await_state(job, "running")
    waiting = leader.submit(rank_command(0.2), gang={"accelerators_per_node": 2}, key="w-1")
    follower.until(lambda: follower.job(waiting)["hold"] is not None, 5, "a reason why it waits, by the follower")

    leader.kill()
    killed_s = time.monotonic()
    meanwhile = follower.submit(rank_command(0.2), types=["a100-80g-sxm"])
    assert follower.submit(rank_command(0.2), gang={"accelerators_per_node": 2}, key="w-1") == waiting
    await_lead(follower)
    assert time.monotonic() - killed_s < TAKEOVER_S
    follower.await_state(meanwhile, "running", "succeeded")
    (directory / "go").touch()

    require_all_succeeded(follower, [*running, waiting, meanwhile])
    require_once(directory)
    follower.require_sound()

    # It comes back as a follower, and knows what happened without it.
    leader.start()
    assert (role(leader), role(follower)) == ("follower", "leader")
    after = leader.submit(rank_command(0.2))
    leader.await_state(after, "succeeded")
    leader.require_sound()


def test_a_leader_that_stood_still_writes_nothing(pair: tuple[Plane, Plane], database_url: str) -> None:
    leader, follower = pair
    directory = leader.found_tenant()
    long, short = leader.submit(UNTIL_TOLD), leader.submit(rank_command(1))
    for job in (long, short):
        leader.await_state(job, "running")

    leader.hold()
    await_lead(follower, 20)
    # The short one ends and is recorded, and others start and end, while the old leader still believes it leads.
    meanwhile = [follower.submit(rank_command(0.2)) for _ in range(3)]
    for job in (short, *meanwhile):
        follower.await_state(job, "succeeded")
    before = _log_length(database_url)
    leader.release()
    leader.until(lambda: role(leader) == "follower", 10, "the old leader to step down")
    assert _log_length(database_url) == before
    assert _epoch(database_url) == 2
    (directory / "go").touch()

    after = leader.submit(rank_command(0.2))
    leader.await_state(after, "succeeded")
    require_all_succeeded(follower, [long, short, *meanwhile, after])
    require_once(directory)
    assert (directory / "told").read_text("utf-8") == "once\n"
    for replica in pair:
        replica.require_sound()
    assert "has lost the lead" in leader.tail()


def test_again_and_again(pair: tuple[Plane, Plane]) -> None:
    """The lead goes to and fro under work, by kill -9, SIGSTOP and SIGTERM."""
    leader, follower = pair
    directory = leader.found_tenant()
    jobs: list[str] = []
    for turn, how in enumerate((signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM, signal.SIGKILL)):
        jobs += [one.submit(rank_command(0.5 + turn % 3)) for one in (leader, follower)]
        jobs.append(leader.submit(rank_command(0.3), gang={"accelerators_per_node": 2}))
        if how is signal.SIGSTOP:
            leader.hold()
        else:
            leader.signal(how)
        jobs.append(follower.submit(rank_command(0.3), types=["a100-80g-sxm"]))
        await_lead(follower, 20)
        if how is signal.SIGSTOP:
            leader.release()
            leader.until(lambda one=leader: role(one) == "follower", 10, "it to step down")  # type: ignore[misc]
        else:
            leader.start()
        leader, follower = follower, leader
    require_all_succeeded(leader, jobs)
    require_once(directory)
    for replica in (leader, follower):
        replica.require_sound()


def test_a_leader_that_is_stopped_hands_over(pair: tuple[Plane, Plane]) -> None:
    leader, follower = pair
    directory = leader.found_tenant()
    job = leader.submit(rank_command(4))
    leader.await_state(job, "running")
    assert leader.signal(signal.SIGTERM) == 0
    await_lead(follower, 3)
    require_all_succeeded(follower, [job])
    require_once(directory)


def test_a_leader_comes_back_under_its_name_at_once(make_replica: MakeReplica) -> None:
    """The lock on its name says that the old process is dead: its lease of a minute is not waited for."""
    replica = make_replica("a", lease_s=60)
    replica.start()
    replica.kill()
    replica.start()
    assert role(replica) == "leader"


def test_prices_published_by_the_follower_hold_for_the_leader(pair: tuple[Plane, Plane]) -> None:
    leader, follower = pair
    leader.found_tenant()
    book = '[[price_book]]\nid = "later"\ncurrency = "CNY"\neffective = {}\nprices.cpu.on-demand = 7'
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 1.5))
    follower.post("/v1/prices", {"text": book.format(at)})
    leader.until(lambda: _price(leader) == 7_000_000, 5, "the leader to know of the book")
    job = leader.submit(rank_command(0.2), types=["cpu"])
    leader.await_state(job, "succeeded")
    assert leader.job(job)["allocations"][0]["price_book"] == "later"
    leader.require_sound()


def test_an_array_is_cancelled_by_the_replica_that_did_not_take_it(pair: tuple[Plane, Plane]) -> None:
    leader, follower = pair
    leader.found_tenant()
    first = leader.submit(rank_command(30), array="0-7")
    follower.post(f"/v1/jobs/{first.rpartition('-')[0]}/cancel", {})
    assert {job["state"] for job in leader.await_drained(within_s=20)} == {"cancelled"}


def test_a_sole_control_plane_keeps_its_database_to_itself(make_replica: MakeReplica, tmp_path: Path) -> None:
    sole = make_replica("")
    sole.start()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for name, rule in (("", "replicas share one data directory"), ("b", "replicas share one data directory")):
        second = make_replica(name, home=elsewhere)
        second.spawn()
        assert os.waitstatus_to_exitcode(os.waitpid(second.pid, 0)[1]) != 0
        assert rule in second.tail()
        assert "Traceback" not in second.tail()
    beside = make_replica("b")
    beside.spawn()
    assert os.waitstatus_to_exitcode(os.waitpid(beside.pid, 0)[1]) != 0
    assert "one control plane a data directory" in beside.tail()


def _price(replica: Plane) -> int:
    rows = replica.get("/v1/prices/at?tenant=acme")["rows"]
    price: int = next(row["micros"] for row in rows if (row["type"], row["tier"]) == ("cpu", "on-demand"))
    return price


def _log_length(database_url: str) -> int:
    return _scalar(database_url, "SELECT count(*) FROM events")


def _epoch(database_url: str) -> int:
    return _scalar(database_url, "SELECT epoch FROM leases")


def _scalar(database_url: str, query: str) -> int:
    with psycopg.connect(database_url) as connection:
        found = connection.execute(query.encode()).fetchone()
    assert found is not None
    return int(found[0])
