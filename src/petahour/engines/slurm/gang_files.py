"""A gang's files: all that a node needs to run its ranks, on the file system that the nodes share."""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from petahour.engines.local import supervisor
from petahour.engines.local.layout import Layout, read_json, world_size, write_json
from petahour.engines.local.ranks import ranks_of
from petahour.engines.local.verdict import RankState, rank_state
from petahour.engines.protocol import Launch
from petahour.engines.slurm.gres import Place
from petahour.engines.slurm.settings import Devices, Mode, SlurmSettings

_AGENT, _HOSTLIST = (Path(__file__).with_name(name) for name in ("agent.py", "hostlist.py"))
GANG_GRACE_MS = 5_000  # for the rest of a gang when one rank has failed


@dataclass(frozen=True, kw_only=True, slots=True)
class Known:
    """What the files say of an allocation. ``ranks`` is 0 where only a stop was asked for."""

    ranks: int = 0
    grace_ms: int = 0
    stop_signal: str = "SIGTERM"
    stop_asked: bool = False
    submission: Mapping[str, object] | None = None


class GangFiles:
    """Writes and reads them. ``instance`` tells this control plane's jobs from another's in the same Slurm."""

    def __init__(self, directory: Path) -> None:
        self._layout = Layout(directory)
        self._programs = directory / "programs"
        self._programs.mkdir(parents=True, exist_ok=True)
        for program in (_AGENT, _HOSTLIST, Path(supervisor.__file__)):
            _copy(program, self._programs / program.name)
        self.instance = _instance(directory / "instance")

    @property
    def agent(self) -> Path:
        return self._programs / _AGENT.name

    def directory(self, allocation: str) -> Path:
        return self._layout.allocation(allocation)

    def over_mark(self, allocation: str) -> Path:
        """Where it is said that the allocation is over, and nothing of it may begin any more."""
        return self._layout.over_mark(allocation)

    def log(self, allocation: str, rank: int) -> Path:
        return self._layout.log(allocation, rank)

    def known(self) -> dict[str, Known]:
        """Every allocation that has files here. One whose files were half written at a crash is cleared away."""
        found = {}
        for allocation in list(self._layout.known()):
            one = self._read(allocation)
            if one is None:
                self._layout.clear(allocation)
            else:
                found[allocation] = one
        return found

    def prepare(self, launch: Launch, places: Mapping[str, Place], settings: SlurmSettings, wake: str) -> None:
        """Write what the agents and supervisors need; the file that says so comes last."""
        folder = self.directory(launch.allocation)
        self.log(launch.allocation, 0).parent.mkdir(parents=True, exist_ok=True)
        if launch.checkpoint_dir is not None:
            Path(launch.checkpoint_dir).mkdir(parents=True, exist_ok=True)
        ranks: list[list[int]] = [[] for _ in launch.slots]
        for rank in ranks_of(launch, meeting={}, layout=self._layout, wake=wake, host_cpus=[0]):
            place = self._layout.rank(launch.allocation, rank.number)
            place.mkdir(parents=True, exist_ok=True)
            # Which host CPUs a rank runs on is Slurm's matter.
            (place / "asked.json").write_text(json.dumps({**rank.launch, "cpus": []}), "utf-8")
            ranks[rank.node_rank].append(rank.number)
        for name in ("stop", "break", "meeting", "held"):
            (folder / name).touch()
        placed = settings.mode is Mode.PLACED
        gang = {
            "nodes": [places[slot.node].node for slot in launch.slots] if placed else [],
            "address": places[launch.slots[0].node].address if placed else "",
            "ranks": ranks,
            "stop_signal": launch.stop_signal,
            "break_grace_ms": min(launch.grace_ms, GANG_GRACE_MS),
            "visible": _visible(launch) if settings.devices is Devices.SLURM else [],
        }
        write_json(folder / "gang.json", gang)
        known = {"ranks": world_size(launch), "grace_ms": launch.grace_ms, "stop_signal": launch.stop_signal}
        write_json(folder / "launch.json", known)

    def ask_to_stop(self, allocation: str, signal: str, grace_ms: int) -> None:
        """Leave the request where every node looks, and remember that it was asked for."""
        folder = self.directory(allocation)
        folder.mkdir(parents=True, exist_ok=True)
        asked = {"signal": signal, "grace_ms": grace_ms}
        write_json(folder / "stop.json", asked)
        self.fence(allocation, signal, grace_ms)

    def fence(self, allocation: str, signal: str, grace_ms: int) -> None:
        """Have nodes that still run the gang end it, also one that Slurm no longer reaches."""
        path = self.directory(allocation) / "stop"
        if path.exists():
            # Overwritten in place: the nodes have this very file open to them.
            with path.open("r+") as file:
                json.dump({"signal": signal, "grace_ms": grace_ms}, file)
                file.truncate()
                file.flush()
                os.fsync(file.fileno())

    def submitted(self, allocation: str, job: int, at_ms: int) -> None:
        """Remember the Slurm job. It is a hint: who an allocation's job is, its comment says."""
        write_json(self.directory(allocation) / "submitted.json", {"job": job, "at_ms": at_ms})

    def claimant(self, allocation: str) -> int | None:
        """The Slurm job that has begun to run the allocation; no other ever will."""
        try:
            return int((self.directory(allocation) / "claim").read_text("utf-8").split()[0])
        except (OSError, ValueError, IndexError):
            return None

    def rank(self, allocation: str, rank: int) -> RankState:
        """A rank's state as its supervisor wrote it."""
        return rank_state(rank, supervisor.read_status(str(self._layout.rank(allocation, rank))))

    def forget(self, allocation: str) -> None:
        """Remove the state; the logs stay."""
        self._layout.forget(allocation)

    def _read(self, allocation: str) -> Known | None:
        folder = self.directory(allocation)
        known, stop = read_json(folder / "launch.json"), read_json(folder / "stop.json")
        if known is None and stop is None:
            return None
        known = known or {"ranks": 0, "grace_ms": 0, "stop_signal": "SIGTERM"}
        return Known(
            ranks=int(str(known["ranks"])),
            grace_ms=int(str(known["grace_ms"])),
            stop_signal=str(known["stop_signal"]),
            stop_asked=stop is not None,
            submission=read_json(folder / "submitted.json"),
        )


def _visible(launch: Launch) -> list[str]:
    """The variables that name the devices: those whose value lists the slot's accelerators, whatever the vendor."""
    names = set()
    for slot, environment in zip(launch.slots, launch.slot_environments, strict=True):
        names |= {
            name for name, value in environment if len(value.split(",")) == len(slot.indexes) and value[:1].isdigit()
        }
    return sorted(names)


def _copy(source: Path, target: Path) -> None:
    """Whole or not at all; nodes may be starting it at this moment."""
    if not target.exists() or target.read_bytes() != source.read_bytes():
        temporary = target.with_name(f"{target.name}.{os.getpid()}")
        shutil.copyfile(source, temporary)
        temporary.replace(target)


def _instance(path: Path) -> str:
    if not path.exists():
        temporary = path.with_name(path.name + ".new")
        temporary.write_text(secrets.token_hex(5), "utf-8")
        temporary.replace(path)
    return path.read_text("utf-8").strip()
