"""A full disk costs output and time, never a job, a recorded end or a millisecond of the bill."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from tests.integration.faults.conftest import MakePlane
from tests.integration.faults.plane import Plane

SIZE_BYTES = 512 * 1024
PAGE_BYTES = 4096
NOISE = f"import sys\nfor _ in range(64): sys.stdout.write('n' * {SIZE_BYTES // 16})"


def test_a_full_disk_for_logs_costs_output_only(make_plane: MakePlane, tmp_path: Path) -> None:
    plane = _on_small_disk(make_plane, tmp_path / "data" / "engine" / "logs")
    plane.found_tenant()

    # One after the other: beside another one, the noisy one might find the disk full before its first byte.
    noisy = plane.submit([sys.executable, "-c", NOISE])
    assert plane.await_state(noisy, "succeeded", "failed")["state"] == "succeeded"
    failing = plane.submit([sys.executable, "-c", NOISE + "\nsys.exit(5)"])
    assert plane.await_state(failing, "succeeded", "failed")["exit_code"] == 5
    quiet = plane.submit(["echo", "hello"])
    assert plane.await_state(quiet, "succeeded", "failed")["state"] == "succeeded"

    said = plane.get(f"/v1/jobs/{noisy}/logs?limit={4 * SIZE_BYTES}")
    assert said["complete"]
    assert 0 < len(said["text"]) <= SIZE_BYTES
    assert set(said["text"][:1000]) == {"n"}
    plane.require_sound()


def test_a_full_disk_for_everything_the_engine_writes(make_plane: MakePlane, tmp_path: Path) -> None:
    engine = tmp_path / "data" / "engine"
    plane = _on_small_disk(make_plane, engine)
    plane.found_tenant()

    # It fills the disk, and its end is recorded all the same.
    noisy = plane.submit([sys.executable, "-c", NOISE])
    assert plane.await_state(noisy, "succeeded", "failed")["state"] == "succeeded"
    # What cannot be started for now waits, placed and unbilled, and starts when there is room.
    ballast = Path(f"/proc/{plane.pid}/root{engine}/ballast")
    _fill(ballast)
    late = plane.submit(["true"])
    plane.await_state(late, "starting")
    plane.until(lambda: "cannot take it now" in plane.tail(), 10, "the engine to say that it cannot start")
    assert plane.job(late)["state"] == "starting"
    ballast.unlink()
    ended = plane.await_state(late, "succeeded", "failed")
    assert (ended["state"], ended["attempt"]) == ("succeeded", 1), ended
    plane.require_sound()


def test_the_last_pages_of_a_disk_lose_no_job(make_plane: MakePlane, tmp_path: Path) -> None:
    """However far a start comes before the disk is full, it is put off and not counted as a loss."""
    engine = tmp_path / "data" / "engine"
    plane = _on_small_disk(make_plane, engine)
    plane.found_tenant()
    ballast = Path(f"/proc/{plane.pid}/root{engine}/ballast")
    for pages in range(1, 6):
        _fill(ballast)
        os.truncate(ballast, ballast.stat().st_size - pages * PAGE_BYTES)
        job = plane.submit(["true"])
        plane.await_state(job, "starting", "running", "succeeded", "failed")
        time.sleep(0.5)
        ballast.unlink()
        ended = plane.await_state(job, "succeeded", "failed")
        assert (ended["state"], ended["attempt"], ended["losses"]) == ("succeeded", 1, 0), (pages, ended)
    plane.require_sound()


def _on_small_disk(make_plane: MakePlane, mount: Path) -> Plane:
    """A control plane that sees a small file system of its own at one place; it goes when the last process has."""
    mount.mkdir(parents=True)
    own_user = () if os.geteuid() == 0 else ("--user", "--map-root-user")
    script = f'mount -t tmpfs -o size={SIZE_BYTES} tmpfs "$0" && exec "$@"'
    plane = make_plane(prefix=("unshare", "--mount", *own_user, "sh", "-c", script, str(mount)))
    plane.start()
    return plane


def _fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        for size in (4096, 1):
            while True:
                try:
                    file.write(b"\0" * size)
                except OSError:
                    break
