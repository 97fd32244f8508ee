"""A cluster's past: what sacct has of its jobs."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from petahour.model.errors import UnavailableError

HISTORY_S = 3_600.0  # a year of a large cluster takes slurmdbd minutes


def write_history(out: Path, *, fields: Sequence[str], since: str, until: str, conf: Path | None) -> None:
    """sacct's lines for all users' jobs between two instants, times as seconds of the epoch.

    Raises UnavailableError when sacct is not there or cannot reach slurmdbd, or refuses an instant.
    """
    command = ["sacct", "--allusers", "--allocations", "--parsable2", "--noconvert", f"--format={','.join(fields)}"]
    command += [f"--starttime={since}", f"--endtime={until}"]
    environment = {**os.environ, "SLURM_TIME_FORMAT": "%s"}
    if conf is not None:
        environment["SLURM_CONF"] = str(conf.resolve())
    try:
        with out.open("wb") as file:
            done = subprocess.run(
                command, env=environment, stdout=file, stderr=subprocess.PIPE, timeout=HISTORY_S, check=False
            )
    except FileNotFoundError:
        raise _away("sacct is not installed here") from None
    except subprocess.TimeoutExpired:
        raise _away(f"sacct gave no answer within {HISTORY_S:g} s") from None
    words = done.stderr.decode(errors="replace").strip().splitlines()
    if done.returncode or any("error" in line.lower() or "disabled" in line.lower() for line in words):
        raise _away(words[-1] if words else f"sacct ended with {done.returncode}")


def _away(why: str) -> UnavailableError:
    return UnavailableError(
        field="sacct",
        value=None,
        rule=f"Slurm's accounting answers ({why})",
        remedy="See that slurmdbd runs, or name a file.",
    )
