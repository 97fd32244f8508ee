"""A Slurm with accounting: its past becomes a trace, its accounts tenants; a slurmdbd that is away stops nobody."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.integration.engines.harness import await_phase, launch, now_ms, until
from tests.integration.faults.conftest import MakePlane
from tests.integration.faults.plane import Plane
from tests.integration.slurm.cluster import TYPES, Cluster, MakeCluster

from petahour.engines.protocol import Phase
from petahour.engines.slurm.engine import SlurmEngine
from petahour.model.allocations import EndKind
from petahour.model.resources import Slot


@pytest.mark.timeout(120)
def test_a_clusters_past_is_a_trace_and_slurmdbd_may_be_away(make_cluster: MakeCluster, tmp_path: Path) -> None:
    cluster = make_cluster(accounting=True)
    engine = SlurmEngine(tmp_path / "engine", settings=cluster.settings(), clock_ms=now_ms)
    assert engine.await_nodes(15)
    try:
        gang = (Slot(node="m0", indexes=(0, 1)), Slot(node="m1", indexes=(0, 1)))
        engine.start(launch(tmp_path, "sleep 1", slots=gang, type="ascend-910b3", walltime_ms=3_600_000))
        assert await_phase(engine, "alloc-1", Phase.ENDED).end_kind is EndKind.SUCCEEDED
        engine.start(launch(tmp_path, "true", name="alloc-2"))
        assert await_phase(engine, "alloc-2", Phase.ENDED).end_kind is EndKind.SUCCEEDED
        until(lambda: "alloc-2" in _ended(cluster), "slurmdbd to be told")
        _import(cluster, tmp_path)
        cluster.slurm.kill("slurmdbd")
        engine.start(launch(tmp_path, "true", name="alloc-3"))
        assert await_phase(engine, "alloc-3", Phase.ENDED).end_kind is EndKind.SUCCEEDED
    finally:
        engine.close()


def _import(cluster: Cluster, tmp_path: Path) -> None:
    out, table = tmp_path / "past.csv", tmp_path / "slurm.toml"
    cluster.options(tmp_path)
    command = [sys.executable, "-m", "petahour.cli.main", "trace", "import-sacct", str(out), "--json"]
    command += ["--since", "now-1hours", "--slurm", str(table), "--slurm-conf", str(cluster.slurm.conf)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["jobs"] == 2
    lines = [dict(zip(out.read_text().splitlines()[0].split(","), line.split(","), strict=True))
             for line in out.read_text().splitlines()[1:]]  # fmt: skip
    assert [(line["name"], line["types"], line["accelerators"]) for line in lines] == [
        ("alloc-1", TYPES["npu:910b3"], "4"),
        ("alloc-2", TYPES["gpu:a100"], "1"),
    ]
    assert 900 <= int(lines[0]["duration_ms"]) <= 20_000


def _ended(cluster: Cluster) -> str:
    return cluster.slurm.command(
        *("sacct", "--allusers", "--allocations", "--noheader", "--state=CD", "--format=JobName%20"),
        *("--starttime=now-1hours", "--endtime=now"),
    )


@pytest.mark.timeout(120)
def test_accounts_become_tenants(make_cluster: MakeCluster, make_plane: MakePlane, tmp_path: Path) -> None:
    cluster = make_cluster(accounting=True)
    for words in (
        ("add", "account", "physics", "Description=Physics dept"),
        ("add", "account", "plasma_lab", "parent=physics"),
        ("add", "user", "anna", "account=plasma_lab"),
        ("add", "user", "bob", "account=physics"),
        ("add", "coordinator", "account=physics", "names=bob"),
        ("modify", "account", "physics", "set", "GrpTRES=gres/gpu:a100=8,cpu=100"),
        ("modify", "user", "anna", "where", "account=plasma_lab", "set", "maxjobs=3"),
    ):
        cluster.slurm.command("sacctmgr", "--immediate", *words)
    plane = make_plane(options=cluster.options(tmp_path), fleet="", cpus=0)
    plane.start()

    shown = _tenant_import(plane, cluster, tmp_path)
    assert "Nothing was made" in shown
    assert plane.get("/v1/tenants")["tenants"] == []
    for why in ("only accelerators are rented", "MaxJobs 3", "no counterpart"):
        assert why in shown
    assert "5 made" in _tenant_import(plane, cluster, tmp_path, "--apply")
    assert "5 there already" in _tenant_import(plane, cluster, tmp_path, "--apply")

    assert [(one["name"], one["title"]) for one in plane.get("/v1/tenants")["tenants"]] == [
        ("physics", "physics dept")
    ]
    assert {one["name"] for one in plane.get("/v1/tenants/physics/projects")["projects"]} == {"default", "plasma-lab"}
    users = plane.get("/v1/tenants/physics/users")["users"]
    assert {one["name"]: one["role"] for one in users} == {"anna": "member", "bob": "tenant-admin"}
    quotas = plane.get("/v1/tenants/physics/quotas")["quotas"]
    assert [(one["type"], one["nominal"], one["borrowing_limit"]) for one in quotas] == [("a100-80g-sxm", 0, 8)]
    # The bound holds: what is beyond it can never run, what is within it may.
    plane.post("/v1/tenants/physics/topups", {"amount": "100.00", "currency": "CNY", "key": "first"})
    beyond = {"tenant": "physics", "command": ["true"], "types": ["a100-80g-sxm"]}
    whole = {"nodes": 2, "accelerators_per_node": 8}
    assert plane.request("POST", "/v1/jobs", json={**beyond, "gang": whole}).status_code == 422
    job = plane.submit(["true"], tenant="physics", project="plasma-lab", types=["a100-80g-sxm"])
    plane.await_state(job, "succeeded")


def _tenant_import(plane: Plane, cluster: Cluster, folder: Path, *more: str) -> str:
    command = [sys.executable, "-m", "petahour.cli.main", "tenant", "import-slurm", "--currency", "CNY", *more]
    command += ["--slurm", str(folder / "slurm.toml"), "--slurm-conf", str(cluster.slurm.conf)]
    environment = {**os.environ, "PETAHOUR_URL": plane.url, "PETAHOUR_API_KEY": plane.key}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
