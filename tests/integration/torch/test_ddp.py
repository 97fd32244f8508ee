"""DistributedDataParallel as a two-node gang: killed once, resumed, and the same final loss as an unbroken run."""

from __future__ import annotations

import re
import shutil
import sys
import tomllib
from pathlib import Path

import pytest
from tests.integration.faults.plane import FINAL, Plane

EXAMPLE = Path(__file__).parents[3] / "examples" / "torch_ddp"


def _run(plane: Plane, project: Path, name: str, *more: str) -> tuple[dict[str, object], str]:
    """Submit the example's own job file, as the README does, with its node count kept; the job and its output."""
    job = tomllib.loads((EXAMPLE / "job.toml").read_text("utf-8"))
    shutil.copy(EXAMPLE / "train.py", project)
    command = [sys.executable, *job.pop("command")[1:], *more]
    job |= {"name": name, "checkpoint_dir": f"checkpoints/{name}", "types": ["a100-80g-sxm"]}
    found = plane.submit(command, **job)
    plane.until(lambda: plane.job(found)["state"] in FINAL, 120, "the training to end")
    return plane.job(found), plane.get(f"/v1/jobs/{found}/logs?rank=0")["text"]


def _final_loss(output: str) -> str:
    found = re.search(r"final loss ([\d.]+)", output)
    assert found is not None, output
    return found[1]


@pytest.mark.timeout(240)
def test_a_killed_gang_resumes_and_ends_with_the_same_loss(plane: Plane) -> None:
    project = plane.found_tenant()
    unbroken, whole = _run(plane, project, "unbroken")
    assert (unbroken["state"], unbroken["attempt"]) == ("succeeded", 1), whole
    killed, rest = _run(plane, project, "killed", "--crash-at-step", "35")
    assert (killed["state"], killed["attempt"], killed["failures"]) == ("succeeded", 2, 1), rest
    assert "resumed at step 30" in rest
    assert _final_loss(rest) == _final_loss(whole)
    first = plane.get(f"/v1/jobs/{killed['id']}")["allocations"][0]
    assert {slot["node"] for slot in first["slots"]} in ({"show-0", "show-1"}, {"n0", "n1"})
    assert first["end_kind"] == "failed"
