"""Real local jobs of several tenants and tiers, a preemption, a drain, a cancel, kill -9: recorded and replayed."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest
from tests.integration.faults.plane import Plane, rank_command

from petahour.cli.main import run

SHOW = {"types": ["a100-80g-sxm"]}
WHOLE = {"gang": {"nodes": 2, "accelerators_per_node": 2}, **SHOW}


def eventful(plane: Plane) -> None:
    """Everything that a scheduler may have to decide about, with a crash in the middle."""
    for tenant in ("acme", "beta"):
        plane.found_tenant(tenant)
    spot = plane.submit(rank_command(3), tier="spot", checkpoint_dir="ckpt", **WHOLE)
    plane.await_state(spot, "running")
    firm = plane.submit(rank_command(1), tenant="beta", priority=5, **SHOW)
    gang = plane.submit(rank_command(0.5), tenant="beta", gang={"nodes": 2, "accelerators_per_node": 1}, **SHOW)
    plane.await_state(firm, "running", "succeeded")
    for number in range(4):
        plane.submit(rank_command(0.3), name=f"sweep-{number}")
    plane.kill()
    plane.start()
    plane.post("/v1/fleet/nodes/show-0/drain", {"reason": "a new fan"})
    last = plane.submit(rank_command(0.2), tenant="beta", after_any=[gang])
    gone = plane.submit(rank_command(60), gang={"accelerators_per_node": 2})
    plane.post(f"/v1/jobs/{gone}/cancel", {})
    plane.submit(rank_command(0.2, exit_code=3), retries=1)
    plane.await_state(last, "succeeded")
    plane.post("/v1/fleet/nodes/show-0/resume", {})
    plane.kill()
    plane.start()
    plane.await_drained(within_s=60)
    assert plane.job(spot)["preemptions"] >= 1


@pytest.mark.timeout(200)
def test_what_real_jobs_were_decided_is_decided_again(
    plane: Plane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    eventful(plane)
    monkeypatch.setenv("PETAHOUR_URL", plane.url)
    monkeypatch.setenv("PETAHOUR_API_KEY", plane.authorization["Authorization"].removeprefix("Bearer "))
    asked, read = tmp_path / "asked.jsonl", tmp_path / "read.jsonl.gz"
    assert run(["record", str(asked)]) == 0
    plane.require_sound()
    assert plane.signal(signal.SIGTERM) == 0
    assert run(["record", str(read), "--data-dir", str(plane.data)]) == 0
    capsys.readouterr()

    for file in (asked, read):
        assert run(["replay", str(file), "--json"]) == 0
        again = json.loads(capsys.readouterr().out)
        assert (again["ok"], again["difference"]) == (True, None)
        assert again["placements"] >= 10
        assert again["preemptions"] >= 1
        assert again["loads"] >= 2

    assert run(["replay", str(asked), "--policy", "fifo,drf", "--json"]) == 0
    answers = json.loads(capsys.readouterr().out)
    assert set(answers) == {"floor", "petahour", "fifo", "drf"}
    assert answers["floor"]["jobs"] == answers["fifo"]["jobs"] >= 8
    assert answers["floor"]["preemptions"] >= 1

    _require_told_apart(asked, capsys)
    _require_a_trace(asked, tmp_path, capsys)


def _require_told_apart(recording: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Had one placement been another one, the replay would say so and end with 1."""
    lines = [json.loads(line) for line in recording.read_text("utf-8").splitlines()]
    passes: list[Any] = [line for line in lines if line.get("kind") == "pass-made" and line["data"].get("places")]
    place = passes[3]["data"]["places"][0]
    place["slots"] = [["nowhere", [0]]]
    recording.with_name("other.jsonl").write_text("\n".join(map(json.dumps, lines)), "utf-8")
    assert run(["replay", str(recording.with_name("other.jsonl"))]) == 1
    told = capsys.readouterr().out
    assert place["job"] in told
    assert "nowhere[0]" in told


def _require_a_trace(recording: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A recording is a trace too, with its fleet."""
    assert run(["simulate", str(recording), "--format", "recording", "--policy", "fifo", "--json"]) == 0
    direct = json.loads(capsys.readouterr().out)["fifo"]
    trace = folder / "trace.csv"
    assert run(["trace", "convert", str(recording), str(trace), "--format", "recording"]) == 0
    capsys.readouterr()
    assert "beta" in trace.read_text("utf-8")
    assert direct["jobs"] >= 8
