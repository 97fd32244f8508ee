"""Two replicas over a real Slurm: the follower finds by their comments what the leader handed in."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.integration.faults.plane import Plane, marks, rank_command, require_once
from tests.integration.replicas.conftest import MakeReplica
from tests.integration.replicas.test_takeover import await_lead, role
from tests.integration.slurm.cluster import Cluster, cluster

__all__ = ["cluster"]

ASCEND = {"types": ["ascend-910b3"], "gang": {"nodes": 2, "accelerators_per_node": 2}}
HALF = {"types": ["ascend-910b3"], "gang": {"nodes": 2, "accelerators_per_node": 8}}


@pytest.fixture
def pair(make_replica: MakeReplica, cluster: Cluster, tmp_path: Path) -> tuple[Plane, Plane]:
    leader, follower = (
        make_replica(name, options=cluster.options(tmp_path), fleet="", cpus=0) for name in ("a", "b")
    )
    leader.start()
    follower.start()
    return leader, follower


def test_a_killed_leader_and_one_that_stood_still(pair: tuple[Plane, Plane], cluster: Cluster) -> None:
    leader, follower = pair
    directory = leader.found_tenant()
    running = leader.submit(rank_command(12), **ASCEND)
    follower.await_state(running, "running")
    waiting = leader.submit(rank_command(0.2), **HALF)
    # It is killed with something just handed in, or about to be.
    fresh = [leader.submit(rank_command(0.5), **ASCEND) for _ in range(3)]
    leader.kill()
    meanwhile = follower.submit(rank_command(0.2), **ASCEND)
    await_lead(follower)
    for job in (*fresh, meanwhile):
        follower.await_state(job, "succeeded")
    leader.start()

    # The lead goes back as the other one stands still, with a queue of its own to hand in when it wakes up.
    follower.hold()
    await_lead(leader, 20)
    jobs = [running, waiting, *fresh, meanwhile, leader.submit(rank_command(0.2), **ASCEND)]
    ended = {job["id"]: job for job in leader.await_drained(within_s=60)}
    follower.release()
    follower.until(lambda: role(follower) == "follower", 10, "the old leader to step down")

    assert set(ended) == set(jobs)
    for job in ended.values():
        assert (job["state"], job["attempt"], job["losses"]) == ("succeeded", 1, 0), job
    require_once(directory)
    assert len([mark for mark in marks(directory) if mark[0] == "start"]) == 4 * (len(jobs) - 1) + 16
    for replica in pair:
        replica.require_sound()
    shown = cluster.slurm.command("squeue", "--noheader", "--format=%j %T").split()
    assert shown == [], "nothing of it is left in Slurm"
