"""Sweeps as their users run them: several seeds and fleets, a table, files, Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

EXAMPLES = Path(__file__).parents[3] / "examples" / "simulate"
PETAHOUR = [sys.executable, "-m", "petahour.cli.main"]
FLEET = """[[node]]
type = "a100-80g-sxm"
count = {count}
accelerators = 8

[[node]]
type = "a10"
count = 6
accelerators = 4
"""


@pytest.fixture
def fleets(tmp_path: Path) -> tuple[Path, Path]:
    paths = tmp_path / "lean.toml", tmp_path / "rich.toml"
    for path, count in zip(paths, (4, 6), strict=True):
        path.write_text(FLEET.format(count=count))
    return paths


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*PETAHOUR, *map(str, arguments)], capture_output=True, text=True, check=False)


def test_seeds_and_fleets_make_one_table_and_the_same_rows_for_any_number_of_workers(
    fleets: tuple[Path, Path], tmp_path: Path
) -> None:
    out = []
    for workers in (1, 2):
        done = run(
            *("simulate", "--generate", "jobs=60,days=2,load=0.8", "--fleet", fleets[0], "--fleet", fleets[1]),
            *("--policy", "fifo,las", "--seeds", "1-2", "--workers", workers, "--report", tmp_path / f"w{workers}"),
        )
        assert done.returncode == 0, done.stderr
        lines = done.stdout.splitlines()
        assert [line.split()[:3] for line in lines[2:6]] == [
            ["lean", "fifo", "2"],
            ["lean", "las", "2"],
            ["rich", "fifo", "2"],
            ["rich", "las", "2"],
        ]
        assert "±" in lines[2]
        assert "8 replays in" in done.stderr
        out.append([path.read_bytes() for path in sorted((tmp_path / f"w{workers}").iterdir())])
    assert out[0] == out[1]


def test_json_has_means_and_intervals(fleets: tuple[Path, Path]) -> None:
    done = run(
        *("simulate", "--generate", "jobs=40,days=1,load=0.5", "--fleet", fleets[0], "--policy", "fifo"),
        *("--seeds", "1,5", "--workers", "1", "--json"),
    )
    assert done.returncode == 0, done.stderr
    (group,) = json.loads(done.stdout)
    assert (group["fleet"], group["policy"], group["seeds"]) == ("lean", "fifo", 2)
    assert group["figures"]["jobs"] == {"mean": 40.0, "half_95": 0.0}


def test_seeds_that_change_nothing_are_told(tmp_path: Path) -> None:
    trace = tmp_path / "t.csv"
    trace.write_text("timestamp,duration,num_gpus,gpu_time,cluster\n0,10,1,10,a\n")
    done = run(*("simulate", trace, "--format", "philly", "--nodes", "2", "--seeds", "1-2", "--workers", "1"))
    assert done.returncode == 0, done.stderr
    assert "a seed changes nothing here" in done.stderr


def test_limits_are_drawn_from_the_seed_and_jobs_that_wait_for_ever_are_told() -> None:
    done = run(
        *("simulate", EXAMPLES / "days.csv", "--fleet", EXAMPLES / "fleet.toml", "--policy", "backfill"),
        *("--price-book", EXAMPLES / "prices.toml", "--price-limits", "0.5:0.8-1.2", "--seeds", "1-2"),
    )
    assert done.returncode == 0, done.stderr
    assert "a seed changes nothing" not in done.stderr
    assert "jobs still waited when nothing more could happen in 2 replays" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--seeds", "3-1"], "seeds"),
        (["--seeds", "one"], "seeds"),
        (["--seeds", "1,1"], "each once"),
        (["--seeds", "1-2", "--per-job", "x.csv"], "per_job"),
        (["--seeds", "1-9999", "--report", "/dev/null/out"], "/dev/null is not"),
        (["--generate", "jobs=0"], "jobs"),
        (["--generate", "jobs=ten"], "generate"),
        (["--estimate-noise", "guess:1"], "estimate_noise"),
        (["week.csv"], "--generate"),
    ],
)
def test_a_wrong_option_is_named(fleets: tuple[Path, Path], arguments: list[str], said: str) -> None:
    generate = [] if "--generate" in arguments else ["--generate", "jobs=50,days=1"]
    done = run("simulate", "--fleet", fleets[0], *generate, *arguments)
    assert done.returncode not in (0, 1)
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("workers", [1, 2])
def test_ctrl_c_ends_all_of_it_and_writes_nothing(fleets: tuple[Path, Path], tmp_path: Path, workers: int) -> None:
    out = tmp_path / "out"
    arguments = [
        *("simulate", "--generate", "jobs=2000,days=7,load=0.9", "--fleet", fleets[0], "--policy", "petahour"),
        *("--seeds", "1-50", "--workers", workers, "--report", out),
    ]
    process = subprocess.Popen(
        [*PETAHOUR, *map(str, arguments)], stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        deadline = time.monotonic() + 60
        known = psutil.Process(process.pid)
        # Pressed once the workers are at it; a single one works in the process itself.
        while time.monotonic() < deadline and len(known.children(recursive=True)) < (workers if workers > 1 else 0):
            time.sleep(0.05)
        time.sleep(2)
        children = known.children(recursive=True)
        os.killpg(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 130, errors
    assert "Interrupted after" in errors
    assert "Traceback" not in errors
    assert not out.exists()
    gone, alive = psutil.wait_procs(children, timeout=10)
    assert not alive, gone
