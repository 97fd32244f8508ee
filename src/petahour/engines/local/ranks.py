"""Ranks: what each process of a gang is started with."""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from petahour.engines.local.layout import Layout, world_size
from petahour.engines.protocol import Launch

LOOPBACK = "127.0.0.1"
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, kw_only=True, slots=True)
class Rank:
    """One rank's number, its node's place in the gang, and its supervisor's launch file."""

    number: int
    node_rank: int
    launch: Mapping[str, object]


def loopback_meeting() -> dict[str, str]:
    """Where the ranks of a gang on one host meet."""
    return {"MASTER_ADDR": LOOPBACK, "MASTER_PORT": str(free_port())}


def free_port() -> int:
    """A port that was free a moment ago, for the gang's rendezvous."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def ranks_of(
    launch: Launch, *, meeting: Mapping[str, str], layout: Layout, wake: str, host_cpus: list[int]
) -> Iterator[Rank]:
    """Every rank of the gang: nodes in slot order, then accelerators in index order.

    ``meeting``: MASTER_ADDR and MASTER_PORT, as far as they are known before the gang is placed on its hosts.
    """
    number = 0
    for node_rank, (slot, slot_environment) in enumerate(zip(launch.slots, launch.slot_environments, strict=True)):
        for local_rank, index in enumerate(slot.indexes):
            environment = {
                **_base(),
                **dict(launch.environment),
                **dict(slot_environment),
                **meeting,
                "RANK": str(number),
                "WORLD_SIZE": str(world_size(launch)),
                "LOCAL_RANK": str(local_rank),
                "LOCAL_WORLD_SIZE": str(len(slot.indexes)),
                "NODE_RANK": str(node_rank),
                "PETAHOUR_JOB_ID": launch.job,
                "PETAHOUR_ALLOCATION_ID": launch.allocation,
                "PETAHOUR_ATTEMPT": str(launch.attempt),
                "PETAHOUR_TENANT": launch.tenant,
                "PETAHOUR_PROJECT": launch.project,
                "PETAHOUR_NODE": slot.node,
                "PETAHOUR_ACCELERATOR_TYPE": launch.type,
                "PETAHOUR_ACCELERATORS": ",".join(str(one) for one in slot.indexes),
                "PETAHOUR_REHEARSAL": "1" if launch.rehearsal else "0",
            }
            if launch.checkpoint_dir is not None:
                environment["PETAHOUR_CHECKPOINT_DIR"] = launch.checkpoint_dir
            yield Rank(
                number=number,
                node_rank=node_rank,
                launch={
                    "allocation": launch.allocation,
                    "name": f"petahour-{launch.allocation}-{number}",
                    "command": launch.command,
                    "workdir": launch.workdir,
                    "environment": environment,
                    "cpus": [host_cpus[index % len(host_cpus)]] if launch.cpu_affinity else [],
                    "memory_bytes": launch.memory_bytes,
                    "walltime_ms": launch.walltime_ms,
                    "grace_ms": launch.grace_ms,
                    "stop_signal": launch.stop_signal,
                    "log": str(layout.log(launch.allocation, number)),
                    "log_limit_bytes": launch.log_limit_bytes,
                    "wake": wake,
                    "meter": launch.meter if number == 0 else [],
                },
            )
            number += 1


def _base() -> dict[str, str]:
    """A small clean environment: the control plane's own variables may hold its secrets."""
    kept = {name: os.environ[name] for name in ("HOME", "LANG", "TZ", "TMPDIR") if name in os.environ}
    return {"PATH": os.environ.get("PATH", DEFAULT_PATH), "USER": getpass.getuser(), "PYTHONUNBUFFERED": "1", **kept}
