"""Slurm by its commands: sbatch, squeue, sinfo, scancel, scontrol; answers as JSON where they have it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from petahour.engines.slurm.reading import SlurmJob, SlurmNode, jobs_of, leaf_switches_of, nodes_of
from petahour.engines.slurm.transport import Submission, away, refused

COMMAND_S = 15.0
JOBS_PER_COMMAND = 500
# Words of errors that pass by themselves; all others are Slurm's last word on a job.
_PASSING = (
    "timed out",
    "unable to contact",
    "connection refused",
    "communication",
    "temporarily",
    "try again",
    "in standby",
    "zero bytes",
    "transmission",
    "credential",
    "authentication",
    "munge",
    "unexpected message",
    "slurm backup controller",
    "job submission limit",
    "qosmaxsubmitjob",
)


class Commands:
    """The command line. ``conf``: slurm.conf, where it is not Slurm's own default."""

    def __init__(self, conf: Path | None) -> None:
        self._environment = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        if conf is not None:
            self._environment["SLURM_CONF"] = str(conf)
        elif "SLURM_CONF" in os.environ:
            self._environment["SLURM_CONF"] = os.environ["SLURM_CONF"]

    def jobs(self) -> Sequence[SlurmJob] | None:
        return jobs_of(self._json("squeue", "--json", "--states=all", "--me"))

    def nodes(self) -> Sequence[SlurmNode]:
        return nodes_of(self._json("sinfo", "--json"))

    def switches(self) -> Mapping[str, str]:
        done = _run(("scontrol", "show", "topology"), environment=self._environment)
        if done.returncode and passing(done.stderr):
            raise away(_last_line(done.stderr))
        return leaf_switches_of(done.stdout)

    def submit(self, submission: Submission) -> int:
        environment = {**self._environment, **submission.environment}
        done = _run(["sbatch", *options(submission)], environment=environment, text=submission.script)
        if done.returncode:
            if passing(done.stderr):
                raise away(_last_line(done.stderr))
            raise refused(submission.name, _last_line(done.stderr))
        return int(done.stdout.strip().partition(";")[0])

    def cancel(self, jobs: Sequence[int]) -> None:
        for first in range(0, len(jobs), JOBS_PER_COMMAND):
            self._order("scancel", "--quiet", *map(str, jobs[first : first + JOBS_PER_COMMAND]))

    def drain(self, node: str, reason: str) -> None:
        self._order("scontrol", "update", f"nodename={node}", "state=drain", f"reason={reason}")

    def resume(self, node: str) -> None:
        self._order("scontrol", "update", f"nodename={node}", "state=resume")

    def accounting(self, *command: str) -> str:
        """What a command that asks slurmdbd prints."""
        done = _run(command, environment=self._environment)
        if done.returncode:
            raise away(_last_line(done.stderr or done.stdout))
        return done.stdout

    def close(self) -> None:
        return

    def _json(self, *command: str) -> object:
        done = _run(command, environment=self._environment)
        if done.returncode:
            raise away(_last_line(done.stderr))
        try:
            document: object = json.loads(done.stdout)
        except ValueError:
            raise away(f"{command[0]} --json gives no JSON: {_last_line(done.stderr or done.stdout)}") from None
        return document

    def _order(self, *command: str) -> None:
        done = _run(command, environment=self._environment)
        if done.returncode and passing(done.stderr):
            raise away(_last_line(done.stderr))


def options(submission: Submission) -> list[str]:
    """sbatch's options. The caller's variables stay where they are: the job's are the script's own matter."""
    found = {
        "job-name": submission.name,
        "comment": submission.comment,
        "partition": submission.partition,
        "account": submission.account,
        "qos": submission.qos,
        "nodes": submission.node_count,
        "ntasks-per-node": 1,
        "cpus-per-task": submission.cpus_per_node,
        "mem": f"{submission.memory_mb_per_node}M",
        "nodelist": None if submission.nodes is None else ",".join(submission.nodes),
        "gres": submission.gres,
        "switches": 1 if submission.one_switch else None,
        "time": submission.time_limit_minutes,
        "output": submission.output,
        "open-mode": "append",
        "chdir": "/",
        "export": "ALL",
    }
    flags = ["--parsable", "--no-requeue", *(["--exclusive"] if submission.exclusive else [])]
    return [*flags, *(f"--{name}={value}" for name, value in found.items() if value is not None)]


def _run(
    command: Sequence[str], *, environment: dict[str, str], text: str | None = None
) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command, env=environment, input=text, capture_output=True, text=True, timeout=COMMAND_S, errors="replace"
        )
    except FileNotFoundError:
        raise away(f"{command[0]} is not installed here") from None
    except subprocess.TimeoutExpired:
        raise away(f"{command[0]} gave no answer within {COMMAND_S:g} s") from None
    except OSError as error:
        raise away(f"{command[0]}: {error.strerror}") from None


def passing(text: str) -> bool:
    """Whether an error goes away by itself: slurmctld is away, or has too much to do."""
    lower = text.lower()
    return any(words in lower for words in _PASSING)


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "no reason given"
