"""Two ranks learn what one learns, a resumed run ends like an unbroken one, and no rank waits for a dead one."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil

STEPS = 60


def _start(rank: int, size: int, port: int, folder: Path | None, *more: str) -> subprocess.Popen[str]:
    environment = {
        **os.environ,
        **{"RANK": str(rank), "WORLD_SIZE": str(size), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)},
        **({"PETAHOUR_CHECKPOINT_DIR": str(folder)} if folder else {}),
    }
    command = [
        sys.executable,
        "-m",
        "petahour.cli.training.char_lm",
        "--steps",
        str(STEPS),
        "--log-every",
        "10",
        *more,
    ]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def _port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _losses(output: str) -> list[tuple[int, float]]:
    return [(int(step), float(loss)) for step, loss in re.findall(r"step (\d+)/\d+ loss ([\d.]+)", output)]


def _alone(folder: Path | None = None, *more: str) -> str:
    output, errors = _start(0, 1, 0, folder, *more).communicate(timeout=60)
    assert not errors
    return output


def test_two_ranks_compute_the_losses_of_one() -> None:
    port = _port()
    gang = [_start(rank, 2, port, None) for rank in (0, 1)]
    outputs = [rank.communicate(timeout=60) for rank in gang]
    assert [rank.returncode for rank in gang] == [0, 0], outputs
    together, alone = _losses(outputs[0][0]), _losses(_alone())
    assert len(alone) == STEPS // 10
    assert together == alone
    assert alone[-1][1] < 0.7 * alone[0][1]


def test_a_stopped_run_resumes_at_the_saved_step_and_ends_alike(tmp_path: Path) -> None:
    unbroken = _losses(_alone())
    first = _start(0, 1, 0, tmp_path, "--step-ms", "20")
    assert first.stdout is not None
    while "step 20/" not in first.stdout.readline():
        assert first.poll() is None
    first.send_signal(signal.SIGTERM)
    output, _ = first.communicate(timeout=60)
    assert first.returncode == 143
    saved = re.search(r"checkpoint saved at step (\d+)", output)
    assert saved is not None
    resumed = _alone(tmp_path)
    assert f"resumed at step {saved[1]} from checkpoint" in resumed
    assert _losses(resumed)[-1] == unbroken[-1]


def test_a_gang_ends_when_a_rank_dies() -> None:
    port = _port()
    gang = [_start(rank, 2, port, None, "--step-ms", "20") for rank in (0, 1)]
    assert gang[0].stdout is not None
    while "step 10/" not in gang[0].stdout.readline():
        assert gang[0].poll() is None
    gang[1].kill()
    began_s = time.monotonic()
    _, errors = gang[0].communicate(timeout=60)
    gang[1].communicate()
    assert gang[0].returncode == 1
    assert "went away" in errors or "Connection" in errors
    assert time.monotonic() - began_s < 30


def test_a_rank_that_waits_for_its_gang_ends_at_once_when_asked() -> None:
    port = _port()
    rank = _start(0, 2, port, None)
    until_s = time.monotonic() + 30
    while not psutil.Process(rank.pid).net_connections(kind="tcp"):
        assert rank.poll() is None
        assert time.monotonic() < until_s
        time.sleep(0.02)
    rank.send_signal(signal.SIGTERM)
    assert rank.wait(timeout=10) == -signal.SIGTERM
    rank.communicate()
