"""Gangs under one switch of Slurm's own topology, and on nodes that Slurm gives to nobody else."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.integration.engines.harness import await_phase, launch, now_ms
from tests.integration.faults.conftest import MakePlane
from tests.integration.faults.plane import Plane, require_once
from tests.integration.slurm.cluster import Cluster, MakeCluster

from petahour.engines.protocol import Phase
from petahour.engines.slurm.engine import SlurmEngine
from petahour.engines.slurm.settings import Devices, Mode
from petahour.engines.slurm.throwaway_conf import PARTITION, VirtualNode
from petahour.model.resources import Slot

A100 = {"types": ["a100-80g-sxm"]}
SWITCHES = {"leaf-0": ("n0", "n1", "x0"), "leaf-1": ("n2", "n3")}


@pytest.fixture
def cluster(make_cluster: MakeCluster) -> Cluster:
    nodes = [VirtualNode(name=f"n{number}", gres="gpu:a100:8") for number in range(4)]
    # A host of two types, which is two nodes.
    nodes.append(VirtualNode(name="x0", gres="gpu:a100:2,npu:910b3:2"))
    return make_cluster(nodes, switches=SWITCHES, rest=True)


def test_a_gang_under_one_switch(cluster: Cluster, make_plane: MakePlane, tmp_path: Path) -> None:
    plane = make_plane(options=cluster.options(tmp_path), fleet="", cpus=0)
    plane.start()
    directory = plane.found_tenant()
    assert {node["name"]: node["switch"] for node in plane.get("/v1/fleet")["nodes"]} == {
        "n0": "leaf-0", "n1": "leaf-0", "n2": "leaf-1", "n3": "leaf-1",
        "x0-a100-80g-sxm": "leaf-0", "x0-ascend-910b3": "leaf-0",
    }  # fmt: skip
    whole = {"nodes": 2, "accelerators_per_node": 8, "switch": "required"}
    first = plane.submit(["sleep", "30"], gang={"accelerators_per_node": 8}, **A100)
    plane.await_state(first, "running")
    taken = _nodes(plane, first)[0]
    second = plane.submit(["sleep", "30"], gang=whole, **A100)
    plane.await_state(second, "running")
    free_leaf = {"n0", "n1"} if taken in SWITCHES["leaf-1"] else {"n2", "n3"}
    assert set(_nodes(plane, second)) == free_leaf
    # Two nodes are free, but under no one switch.
    third = plane.submit(["true"], gang=whole, **A100)
    plane.until(lambda: plane.job(third)["hold"] is not None, 10, "a reason")
    assert "under one switch" in plane.job(third)["hold"]["text"]
    never = {"tenant": "acme", "command": ["true"], "gang": {**whole, "nodes": 3}, **A100}
    answer = plane.request("POST", "/v1/jobs", json=never)
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:petahour:problem:impossible")
    plane.post(f"/v1/jobs/{first}/cancel", {})
    plane.await_state(third, "succeeded")
    plane.post(f"/v1/jobs/{second}/cancel", {})
    plane.await_drained(within_s=20)
    require_once(directory)
    plane.require_sound()

    _exclusive(plane, cluster)


def _exclusive(plane: Plane, cluster: Cluster) -> None:
    """Nothing else of Slurm's comes onto the node, though the gang runs on two of its eight accelerators."""
    job = plane.submit(["sleep", "20"], gang={"accelerators_per_node": 2, "exclusive": True}, **A100)
    plane.await_state(job, "running")
    allocation = plane.job(job)["allocations"][0]
    assert [len(slot["indexes"]) for slot in allocation["slots"]] == [8]
    node = allocation["slots"][0]["node"]
    shown = cluster.slurm.command("squeue", "--noheader", f"--name={allocation['id']}", "--format=%h %b %C")
    assert shown.replace("gres/", "gres:").split() == ["NO", "gres:gpu:a100:8", "64"]
    other = cluster.slurm.command(
        *("sbatch", "--parsable", f"--partition={PARTITION}", f"--nodelist={node}", "--cpus-per-task=1", "--mem=1"),
        *("--output=/dev/null", "--wrap=true"),
    ).strip()
    held = cluster.slurm.command("squeue", "--noheader", f"--jobs={other}", "--format=%T").strip()
    assert held == "PENDING"
    plane.post(f"/v1/jobs/{job}/cancel", {})
    plane.await_state(job, "cancelled")
    plane.until(
        lambda: other in cluster.slurm.command("squeue", "--noheader", "--states=CD", "--format=%i").split(),
        20,
        "the other's job to run",
    )
    usage = [one for one in plane.get("/v1/tenants/acme/usage")["records"] if one["job"] == job]
    assert {one["accelerators"] for one in usage} == {8}
    # On a host of two types it takes all of its own, and the other type's work goes on beside it.
    types = {"types": ["ascend-910b3"]}
    both = [
        plane.submit(["sleep", "3"], gang={"accelerators_per_node": 1, "exclusive": True}, **types),
        plane.submit(["sleep", "3"], gang={"nodes": 1, "accelerators_per_node": 2}, **A100),
    ]
    for one in both:
        plane.await_state(one, "succeeded")
    plane.require_sound()


@pytest.mark.parametrize("rest", [False, True], ids=["slurm", "slurmrestd"])
def test_where_slurm_picks_it_is_asked_for_both(cluster: Cluster, tmp_path: Path, rest: bool) -> None:
    """Delegated: one switch and nobody else in Slurm's own words; the ranks see as many devices as they are."""
    settings = cluster.settings(rest=rest, mode=Mode.DELEGATED, devices=Devices.SLURM)
    engine = SlurmEngine(tmp_path / "engine", settings=settings, clock_ms=now_ms)
    try:
        assert engine.await_nodes(15)
        gang = tuple(Slot(node=name, indexes=(0, 1)) for name in ("n0", "n2"))
        engine.start(
            launch(tmp_path, 'echo "$VISIBLE $SLURMD_NODENAME"; sleep 2', slots=gang, exclusive=True, one_switch=True)
        )
        await_phase(engine, "alloc-1", Phase.RUNNING)
        shown = cluster.slurm.command("squeue", "--noheader", "--states=R", "--format=%h %N %b")
        words = shown.split()
        assert words[0] == "NO"
        assert words[1] in ("n[0-1]", "n[2-3]")
        await_phase(engine, "alloc-1", Phase.ENDED)
        for rank in range(4):
            seen = engine.log("alloc-1", rank, offset=0, limit_bytes=100).text.split()[0]
            assert len(seen.split(",")) == 2
    finally:
        engine.close()


def _nodes(plane: Plane, job: str) -> list[str]:
    return [slot["node"] for slot in plane.job(job)["allocations"][-1]["slots"]]
