"""What throw-away clusters leave behind: Slurm's step daemons outlive a killed slurmd, and their ranks with them."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from petahour.engines.local.supervisor import start_time

PREFIX = "petahour-slurm-"
ROUNDS = 40
PAUSE_S = 0.05
NONE_SEEN = 3  # looks in a row; a process that is just becoming another program shows no environment


def variables(process: psutil.Process) -> dict[str, str]:
    """A process's environment, also where it has written its title over the beginning of it, as slurmstepd does."""
    try:
        entries = Path(f"/proc/{process.pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return {}
    pairs = (entry.decode(errors="replace").partition("=") for entry in entries if b"=" in entry)
    return {name: value for name, _, value in pairs}


def of_cluster(conf: Path) -> list[psutil.Process]:
    """Every process that has this slurm.conf in its environment, but this one."""
    return [process for process, named in _of_clusters() if named == conf]


def end_all(conf: Path) -> None:
    """Kill what is left of a cluster, until nothing is seen of it any more."""
    none_seen = 0
    for _ in range(ROUNDS):
        left = of_cluster(conf)
        for one in left:
            with contextlib.suppress(psutil.Error):
                one.kill()
        none_seen = 0 if left else none_seen + 1
        if none_seen == NONE_SEEN:
            return
        time.sleep(PAUSE_S)


def own(directory: Path) -> None:
    """Note down whose cluster it is."""
    (directory / "owner").write_text(json.dumps([os.getpid(), start_time(os.getpid())]), "utf-8")


def sweep() -> None:
    """End what clusters left whose owner was killed, or that were closed; those of living owners are left alone."""
    folder = Path(tempfile.gettempdir())
    for conf in {named for _, named in _of_clusters()}:
        if conf.parent.name.startswith(PREFIX) and conf.parent.parent == folder and _orphaned(conf.parent):
            end_all(conf)
    for directory in folder.glob(f"{PREFIX}*"):
        if directory.stat().st_uid == os.geteuid() and _orphaned(directory):
            shutil.rmtree(directory, ignore_errors=True)


def _of_clusters() -> Iterator[tuple[psutil.Process, Path]]:
    for process in psutil.process_iter():
        named = variables(process).get("SLURM_CONF")
        if named and process.pid != os.getpid():
            yield process, Path(named)


def _orphaned(directory: Path) -> bool:
    """Its directory is gone, or the process that made it is."""
    if not directory.exists():
        return True
    try:
        pid, started = json.loads((directory / "owner").read_text("utf-8"))
    except (OSError, ValueError):
        return False  # being made at this moment
    return bool(start_time(int(pid)) != started)
