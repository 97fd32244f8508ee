"""Transport: the few questions and orders that the engine has for Slurm, whatever carries them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from petahour.engines.slurm.reading import SlurmJob, SlurmNode
from petahour.model.errors import PetahourError, UnavailableError


@dataclass(frozen=True, kw_only=True, slots=True)
class Submission:
    """One Slurm job: what it holds and the script it runs. ``nodes`` None leaves the choice to Slurm."""

    name: str
    comment: str
    script: str
    output: Path
    environment: Mapping[str, str]
    node_count: int
    nodes: Sequence[str] | None
    gres: str | None
    cpus_per_node: int
    memory_mb_per_node: int
    time_limit_minutes: int | None
    partition: str
    account: str | None
    qos: str | None
    exclusive: bool
    one_switch: bool


class RefusedError(PetahourError):
    """Slurm will not take the job as it stands: trying again would not help."""

    status = 409
    slug = "refused-by-slurm"


class Transport(Protocol):
    """Each method is one command or one request, whatever number of jobs it is about.

    Every method raises UnavailableError when Slurm does not answer.
    """

    def jobs(self) -> Sequence[SlurmJob] | None:
        """Jobs that Slurm still remembers; None when nothing has changed since the last answer."""

    def nodes(self) -> Sequence[SlurmNode]:
        """Every node of the cluster."""

    def switches(self) -> Mapping[str, str]:
        """The leaf switch above each node that lies under one; nothing where the site has not described any."""

    def submit(self, submission: Submission) -> int:
        """Hand in a job; its number. Raises RefusedError when Slurm says no."""

    def cancel(self, jobs: Sequence[int]) -> None:
        """End these jobs; those that have ended are none to worry about."""

    def drain(self, node: str, reason: str) -> None:
        """Let nothing new onto the node."""

    def resume(self, node: str) -> None:
        """Let work onto the node again."""

    def close(self) -> None:
        """Let go of connections."""


def away(why: str) -> UnavailableError:
    """Slurm gave no answer."""
    return UnavailableError(
        field="slurm", value=None, rule=f"Slurm answers ({why})", remedy="See that slurmctld runs; it is tried again."
    )


def refused(name: str, why: str) -> RefusedError:
    """Slurm said no to a job."""
    return RefusedError(
        field="slurm", value=name, rule=why, remedy="Compare partition, account, limits and GRES with slurm.conf."
    )
