"""Petahour over a real Slurm: what one administration does to a node or a job, the other knows."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.integration.faults.conftest import MakePlane
from tests.integration.faults.plane import Plane, marks, rank_command, require_once
from tests.integration.slurm.cluster import Cluster, MakeCluster

NODE_TIMEOUT_S = 5


def _node(plane: Plane, name: str) -> dict[str, object]:
    found: dict[str, object] = next(node for node in plane.get("/v1/fleet")["nodes"] if node["name"] == name)
    return found


def test_slurms_nodes_are_the_fleet_and_a_gang_is_one_slurm_job(plane: Plane, cluster: Cluster) -> None:
    assert {(node["name"], node["type"], node["accelerators"]) for node in plane.get("/v1/fleet")["nodes"]} == {
        ("n0", "a100-80g-sxm", 8),
        ("n1", "a100-80g-sxm", 8),
        ("m0", "ascend-910b3", 8),
        ("m1", "ascend-910b3", 8),
    }
    project = plane.found_tenant("gangs")
    gang = plane.submit(
        rank_command(4), tenant="gangs", types=["ascend-910b3"], gang={"nodes": 2, "accelerators_per_node": 2}
    )
    plane.await_state(gang, "running")
    allocation = plane.job(gang)["allocations"][0]["id"]
    shown = cluster.slurm.command("squeue", "--noheader", "--name", allocation, "--format=%D %b %N %k")
    assert shown.split()[:3] == ["2", "gres:npu:910b3:2", "m[0-1]"]
    assert shown.split()[3].endswith(f":{allocation}")
    assert plane.await_state(gang, "succeeded")["exit_code"] == 0
    assert sorted(rank for mark, _, rank in marks(project) if mark == "end") == [0, 1, 2, 3]
    require_once(project)
    plane.require_sound()


SCRIPT = """#!/bin/bash
#SBATCH --job-name=two-steps --nodes=2 --gres=gpu:a100-80g-sxm:2
#SBATCH --time=5 --partition=gpu --ntasks-per-node=2
echo once >> once
srun bash -c 'echo "$SLURM_PROCID of $SLURM_NTASKS on $SLURMD_NODENAME" >> ranks'
srun --ntasks=1 echo done
"""


def test_a_batch_script_of_slurms_users_runs_as_it_is(plane: Plane, tmp_path: Path) -> None:
    project = plane.found_tenant("scripts")
    script = tmp_path / "train.sbatch"
    script.write_text(SCRIPT, "utf-8")
    environment = {**os.environ, "PETAHOUR_URL": plane.url, "PETAHOUR_API_KEY": plane.key}
    command = [sys.executable, "-m", "petahour.cli.main", "submit", str(script), "--tenant", "scripts", "--follow"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr
    assert "line 3: --partition is not used" in done.stderr
    assert (project / "once").read_text("utf-8") == "once\n"
    ranks = sorted((project / "ranks").read_text("utf-8").splitlines())
    assert ranks == ["0 of 4 on n0", "1 of 4 on n0", "2 of 4 on n1", "3 of 4 on n1"]


def test_drains_go_both_ways_and_are_taken_back_by_whoever_began(plane: Plane, cluster: Cluster) -> None:
    slurm = cluster.slurm
    slurm.command("scontrol", "update", "nodename=n1", "state=drain", "reason=bad fan")
    plane.until(lambda: _node(plane, "n1")["state"] == "draining", 10, "Slurm's drain to be known")
    assert _node(plane, "n1")["reason"] == "engine: bad fan"
    slurm.command("scontrol", "update", "nodename=n1", "state=resume")
    plane.until(lambda: _node(plane, "n1")["state"] == "up", 10, "Slurm's resume to be known")
    plane.post("/v1/fleet/nodes/n0/drain", {"reason": "new cables"})

    def reason() -> str:
        return slurm.command("sinfo", "--noheader", "--nodes=n0", "--format=%E").strip()

    plane.until(lambda: reason() == "petahour: new cables", 10, "Slurm to know the drain")
    plane.post("/v1/fleet/nodes/n0/resume", {})
    plane.until(lambda: reason() == "none", 10, "Slurm to know the resume")
    # What Slurm said before it was told may be heard once more.
    plane.until(lambda: _node(plane, "n0")["state"] == "up", 10, "the node to take work")


def test_a_dead_node_loses_its_gang_as_one_and_takes_work_when_it_is_back(
    make_cluster: MakeCluster, make_plane: MakePlane, tmp_path: Path
) -> None:
    cluster = make_cluster(node_timeout_s=NODE_TIMEOUT_S)
    plane = make_plane(options=cluster.options(tmp_path), fleet="", cpus=0)
    plane.start()
    project = plane.found_tenant()
    gang = plane.submit(rank_command(6), types=["ascend-910b3"], gang={"nodes": 1, "accelerators_per_node": 2})
    plane.await_state(gang, "running")
    first = plane.job(gang)["allocations"][0]
    dead = first["slots"][0]["node"]
    cluster.slurm.kill_node(dead)
    plane.until(lambda: plane.job(gang)["attempt"] == 2, 5 * NODE_TIMEOUT_S + 10, "the gang to be placed again")
    job = plane.await_state(gang, "succeeded", within_s=40)
    lost, fine = job["allocations"]
    assert (lost["end_kind"], fine["end_kind"], job["failures"]) == ("lost", "succeeded", 0)
    assert fine["slots"][0]["node"] != dead
    assert _node(plane, dead)["state"] == "down"
    cluster.slurm.start_node(dead)
    plane.until(lambda: _node(plane, dead)["state"] == "up", 30, "the node to be back")
    usage = plane.get("/v1/tenants/acme/usage")["records"]
    assert {record["allocation"]: record["billed_ams"] > 0 for record in usage} == {
        lost["id"]: False,
        fine["id"]: True,
    }
    require_once(project)
    plane.require_sound()
