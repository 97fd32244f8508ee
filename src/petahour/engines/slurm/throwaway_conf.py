"""slurm.conf and gres.conf of a throw-away Slurm: all of it on one host, as one user, on the loopback interface."""

from __future__ import annotations

import getpass
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PARTITION = "petahour"

_SLURM = """\
ClusterName=throwaway
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort={controller_port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={base}/run/munge.sock,cred_expire=5
CredType=cred/munge
{jwt}CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=2,sched_interval=2,sched_min_interval=0,batch_sched_delay=0,defer_batch
ReturnToService=2
SlurmdTimeout={node_timeout_s}
SlurmctldTimeout=5
MessageTimeout={message_timeout_s}
KillWait=2
MinJobAge=300
MpiDefault=none
PrologFlags=NoHold
StateSaveLocation={base}/state
SlurmdSpoolDir={base}/spool/%n
SlurmctldPidFile={base}/run/slurmctld.pid
SlurmdPidFile={base}/run/slurmd-%n.pid
SlurmctldLogFile={base}/log/slurmctld.log
SlurmdLogFile={base}/log/slurmd-%n.log
SlurmdParameters=config_overrides
{topology}{accounting}JobAcctGatherType=jobacct_gather/none
GresTypes={gres_types}
{nodes}
PartitionName={partition} Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""
_JWT = "AuthAltTypes=auth/jwt\nAuthAltParameters=jwt_key={base}/jwt.key\n"
_NODE = "NodeName={name} NodeHostname=localhost NodeAddr=127.0.0.1 Port={port} CPUs=64 RealMemory=512000 Gres={gres}"


@dataclass(frozen=True, kw_only=True, slots=True)
class VirtualNode:
    """A node that is a slurmd on this host; ``gres`` such as ``gpu:a100:8``, without any device behind it."""

    name: str
    gres: str


def slurm_conf(
    base: Path,
    nodes: Sequence[VirtualNode],
    ports: Sequence[int],
    *,
    node_timeout_s: int,
    jwt: bool,
    accounting: str,
    switched: bool = False,
) -> str:
    """The text of slurm.conf; ``ports``: the controller's, then each node's; ``switched``: with a topology.conf."""
    kinds = sorted({part.split(":")[0] for node in nodes for part in node.gres.split(",") if part})
    declared = [
        _NODE.format(name=node.name, port=port, gres=node.gres) for node, port in zip(nodes, ports[1:], strict=True)
    ]
    return _SLURM.format(
        base=base,
        user=getpass.getuser(),
        controller_port=ports[0],
        node_timeout_s=node_timeout_s,
        # A dead node is called down after two to three of these, whatever SlurmdTimeout says.
        message_timeout_s=max(4, min(10, node_timeout_s - 1)),
        jwt=_JWT.format(base=base) if jwt else "",
        accounting=accounting or "AccountingStorageType=accounting_storage/none\n",
        topology="TopologyPlugin=topology/tree\n" if switched else "",
        gres_types=",".join(kinds),
        nodes="\n".join(declared),
        partition=PARTITION,
    )


def topology_conf(switches: Mapping[str, Sequence[str]]) -> str:
    """The text of topology.conf: leaf switches with their nodes, and one switch above all."""
    leaves = [f"SwitchName={name} Nodes={','.join(nodes)}" for name, nodes in switches.items()]
    return "\n".join([*leaves, f"SwitchName=spine Switches={','.join(switches)}"]) + "\n"


def gres_conf(base: Path, nodes: Sequence[VirtualNode]) -> str:
    """The text of gres.conf; the device of every accelerator is an empty file that `device_files` names."""
    lines = []
    for node in nodes:
        for part in node.gres.split(","):
            name, kind, count = part.split(":")
            files = f"{base}/dev/{node.name}-{name}-{kind}-[0-{int(count) - 1}]"
            lines.append(f"NodeName={node.name} Name={name} Type={kind} File={files}")
    return "\n".join(lines) + "\n"


def device_files(nodes: Sequence[VirtualNode]) -> list[str]:
    """The names of the files that stand for devices; Slurm only takes GRES with a file each for whole devices."""
    return [
        f"{node.name}-{name}-{kind}-{number}"
        for node in nodes
        for name, kind, count in (part.split(":") for part in node.gres.split(","))
        for number in range(int(count))
    ]
