"""The batch script of an allocation and what it asks of Slurm."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path

from petahour.engines.protocol import Launch
from petahour.engines.slurm.gres import Place
from petahour.engines.slurm.settings import Devices, Mode, SlurmSettings
from petahour.engines.slurm.transport import Submission
from petahour.model.errors import ValidationError
from petahour.model.time import MINUTE_MS

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
BYTES_PER_MB = 1024 * 1024
SPARE_MINUTES = 2  # Slurm's own time limit is the second line: the supervisors keep the walltime to the millisecond

# The first job to get here takes the allocation for good (`set -C` refuses to write over a file). Slurm may start
# a job twice, or forget one that was handed in and be given it again: the later one finds the claim and ends. One
# handed in by a control plane that slept through the allocation's end finds that on record.
_SCRIPT = """\
#!/bin/sh
cd {folder} && [ ! -e {over} ] || exit 0
( set -C; echo "$SLURM_JOB_ID" > claim ) 2>/dev/null || exit 0
{held}exec srun --nodes={nodes} --ntasks={nodes} --ntasks-per-node=1 --kill-on-bad-exit=0 --wait=0 --mpi=none \\
  --input=none {python} -I {agent} {folder}
"""
_HELD = 'scontrol show job -d "$SLURM_JOB_ID" > held\n'


def comment_of(instance: str, allocation: str) -> str:
    """What identifies a job of this control plane in Slurm; a job's number alone may be given again."""
    return f"petahour:{instance}:{allocation}"


def allocation_of(instance: str, comment: str) -> str | None:
    """The allocation a comment names, when the job is of this control plane."""
    prefix = comment_of(instance, "")
    return comment[len(prefix) :] if comment.startswith(prefix) and len(comment) > len(prefix) else None


def submission_of(
    launch: Launch,
    *,
    places: Mapping[str, Place],
    settings: SlurmSettings,
    instance: str,
    folder: Path,
    over: Path,
    agent: Path,
    path: str = DEFAULT_PATH,
) -> Submission:
    """The same launch always asks for the same. Raises ValidationError on a slot whose node Slurm does not have."""
    missing = [slot.node for slot in launch.slots if slot.node not in places]
    if missing:
        raise ValidationError(
            field="node", value=missing[0], rule="a node of this Slurm", remedy="See sinfo and slurm.toml's gres."
        )
    first = places[launch.slots[0].node]
    ranks = min(len(slot.indexes) for slot in launch.slots)  # Slurm gives each node of a job as many
    count = min(places[slot.node].accelerators for slot in launch.slots) if launch.exclusive else ranks
    memory_mb = first.memory_mb_each * count
    if launch.memory_bytes is not None:
        memory_mb = max(1, -(-launch.memory_bytes * ranks // BYTES_PER_MB))
    # Of a host that is several nodes an exclusive gang takes all accelerators of its type; the others' go on.
    whole = settings.mode is Mode.DELEGATED or all(places[slot.node].whole for slot in launch.slots)
    script = _SCRIPT.format(
        folder=shlex.quote(str(folder)),
        over=shlex.quote(str(over)),
        nodes=len(launch.slots),
        python=shlex.quote(settings.python),
        agent=shlex.quote(str(agent)),
        held=_HELD if settings.devices is Devices.SLURM else "",
    )
    return Submission(
        name=launch.allocation,
        comment=comment_of(instance, launch.allocation),
        script=script,
        output=folder / "slurm.out",
        environment={"PATH": path},
        node_count=len(launch.slots),
        nodes=[places[slot.node].node for slot in launch.slots] if settings.mode is Mode.PLACED else None,
        gres=None if first.gres is None else f"{first.gres}:{count}",
        cpus_per_node=first.cpus_each * count,
        memory_mb_per_node=memory_mb,
        time_limit_minutes=_minutes(launch),
        partition=settings.partition,
        account=settings.account,
        qos=settings.qos,
        exclusive=settings.exclusive or (launch.exclusive and whole),
        one_switch=settings.mode is Mode.DELEGATED and launch.one_switch and len(launch.slots) > 1,
    )


def _minutes(launch: Launch) -> int | None:
    if launch.walltime_ms is None:
        return None
    return -(-(launch.walltime_ms + launch.grace_ms) // MINUTE_MS) + SPARE_MINUTES
