"""The local engine: starts supervisors, reads what they wrote, and makes a gang fail as one."""

from __future__ import annotations

import json
import os
import signal as signals
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import psutil

from petahour.engines.local import supervisor
from petahour.engines.local.layout import Layout, read_json, world_size, write_json
from petahour.engines.local.ranks import loopback_meeting, ranks_of
from petahour.engines.local.verdict import RankState, rank_state, report_of
from petahour.engines.local.wake import Wake
from petahour.engines.output import read_output
from petahour.engines.protocol import LOCAL, Launch, LogChunk, Phase, Report
from petahour.model.allocations import EndKind
from petahour.model.errors import NotFoundError, UnavailableError
from petahour.model.resources import Node

SWEEP_S = 2.0
GANG_GRACE_MS = 5_000  # for the rest of a gang when one rank has failed
SPAWN_WAIT_S = 10.0  # a supervisor that has written nothing by then is gone


@dataclass(kw_only=True, slots=True)
class _Gang:
    """What the engine remembers of an allocation; all of it can be read from disk again."""

    ranks: int
    grace_ms: int
    stop_signal: str
    stop_asked: bool = False
    breaking: bool = False
    reported: Phase | None = None
    spawned: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict)
    ended: dict[int, RankState] = field(default_factory=dict)
    seen_s: float = 0.0


class LocalEngine:
    """Gangs as processes of this host. Safe from any thread; adopts what an earlier process left running."""

    name: str

    def __init__(self, directory: Path, *, clock_ms: Callable[[], int], name: str = LOCAL) -> None:
        self.name = name
        self._layout = Layout(directory)
        self._clock_ms = clock_ms
        self._boot = supervisor.boot_id()
        self._cpus = sorted(os.sched_getaffinity(0))
        self._lock = threading.RLock()
        self._hinted: set[str] = set()
        self._wakers: list[Callable[[], None]] = []
        self._swept_s = 0.0
        self._gangs: dict[str, _Gang] = {}
        self._leaving: list[subprocess.Popen[bytes]] = []
        for allocation in self._layout.known():
            gang = self._read(allocation)
            if gang is not None:
                self._gangs[allocation] = gang
        self._wake = Wake(directory, self._heard)

    # -- the protocol ------------------------------------------------------------------------------------

    def start(self, launch: Launch) -> None:
        with self._lock:
            if launch.allocation not in self._gangs and self._layout.over(launch.allocation):
                return
            try:
                gang = self._gangs.get(launch.allocation) or self._prepare(launch)
                if gang.stop_asked:
                    return
                self._spawn(launch.allocation, gang)
            except OSError as error:
                raise UnavailableError(
                    field="engine",
                    value=launch.allocation,
                    rule=f"the host can start processes and write files ({error.strerror})",
                    remedy="Free disk space, memory or processes; the start is tried again.",
                ) from error

    def stop(self, allocation: str, *, signal: str, grace_ms: int) -> None:
        with self._lock:
            gang = self._gangs.get(allocation)
            if gang is None:
                # Never started: leave a mark, so that a start that comes late does nothing.
                self._layout.allocation(allocation).mkdir(parents=True, exist_ok=True)
                gang = self._gangs[allocation] = _Gang(ranks=0, grace_ms=grace_ms, stop_signal=signal)
            write_json(self._layout.allocation(allocation) / "stop.json", {"signal": signal, "grace_ms": grace_ms})
            gang.stop_asked = True
            self._ask_ranks(allocation, gang, signal, grace_ms)
        self._heard(allocation)

    def poll(self, *, full: bool = False) -> Sequence[Report]:
        with self._lock:
            # A supervisor writes the end before it exits itself, so that its process is reaped a little later.
            self._leaving = [process for process in self._leaving if process.poll() is None]
            now_s = time.monotonic()
            sweep = full or now_s - self._swept_s >= SWEEP_S
            hinted, self._hinted = self._hinted, set()
            if sweep:
                self._swept_s = now_s
            looked_at = list(self._gangs) if sweep else [name for name in hinted if name in self._gangs]
            reports = []
            for allocation in looked_at:
                gang = self._gangs[allocation]
                report = self._look(allocation, gang, alive_too=sweep)
                if full or report.phase is not gang.reported:
                    gang.reported = report.phase
                    reports.append(report)
            return reports

    def forget(self, allocation: str) -> None:
        with self._lock:
            gang = self._gangs.pop(allocation, None)
            if gang is not None:
                self._leaving += gang.spawned.values()
            self._layout.forget(allocation)

    def known(self) -> frozenset[str]:
        with self._lock:
            return frozenset(self._gangs)

    def log(self, allocation: str, rank: int, *, offset: int, limit_bytes: int) -> LogChunk:
        with self._lock:
            gang = self._gangs.get(allocation)
            complete = gang is None or gang.ranks == 0 or rank in gang.ended
            if gang is not None and gang.ranks and not 0 <= rank < gang.ranks:
                raise NotFoundError(
                    field="rank", value=rank, rule=f"a rank from 0 to {gang.ranks - 1}", remedy="Choose one of those."
                )
        return read_output(
            self._layout.log(allocation, rank), offset=offset, limit_bytes=limit_bytes, complete=complete
        )

    def nodes(self) -> Sequence[Node] | None:
        return ()  # this host's are found by the vendors' tools, others are declared

    def drain(self, node: str, reason: str) -> None:
        return

    def resume(self, node: str) -> None:
        return

    def subscribe(self, wake: Callable[[], None]) -> None:
        with self._lock:
            self._wakers.append(wake)

    def close(self) -> None:
        self._wake.close()
        with self._lock:
            spawned = [*self._leaving, *(one for gang in self._gangs.values() for one in gang.spawned.values())]
            left = [process for process in spawned if process.poll() is None]
        if left:
            # They live on, perhaps without this process; while it lives, it takes note of their ends.
            threading.Thread(target=_await_all, args=(left,), name="engine-left", daemon=True).start()

    # -- starting ----------------------------------------------------------------------------------------

    def _prepare(self, launch: Launch) -> _Gang:
        """Write everything the supervisors need; the allocation's own file last, as it says that all is there."""
        layout, allocation = self._layout, launch.allocation
        folder = layout.allocation(allocation)
        layout.log(allocation, 0).parent.mkdir(parents=True, exist_ok=True)
        if launch.checkpoint_dir is not None:
            Path(launch.checkpoint_dir).mkdir(parents=True, exist_ok=True)
        meeting = loopback_meeting()
        for rank in ranks_of(launch, meeting=meeting, layout=layout, wake=self._wake.path, host_cpus=self._cpus):
            place = layout.rank(allocation, rank.number)
            place.mkdir(parents=True, exist_ok=True)
            (place / "launch.json").write_bytes(_json(rank.launch))
            # Its room on disk is claimed before anything runs: a full disk puts the start off, it loses no rank.
            os.close(supervisor.make_status(str(place)))
        known = {"ranks": world_size(launch), "grace_ms": launch.grace_ms, "stop_signal": launch.stop_signal}
        write_json(folder / "launch.json", known)
        gang = self._gangs[allocation] = _Gang(
            ranks=world_size(launch), grace_ms=launch.grace_ms, stop_signal=launch.stop_signal
        )
        return gang

    def _read(self, allocation: str) -> _Gang | None:
        """A gang as an earlier process left it; None when it had not even written what to start."""
        folder = self._layout.allocation(allocation)
        known, stop = read_json(folder / "launch.json"), read_json(folder / "stop.json")
        if known is None and stop is None:
            self._layout.clear(allocation)
            return None
        known = known or {"ranks": 0, "grace_ms": 0, "stop_signal": "SIGTERM"}
        return _Gang(
            ranks=int(str(known["ranks"])),
            grace_ms=int(str(known["grace_ms"])),
            stop_signal=str(known["stop_signal"]),
            stop_asked=stop is not None,
        )

    def _spawn(self, allocation: str, gang: _Gang) -> None:
        """A supervisor for every rank that never had one. A second one would see the first's lock and leave."""
        gang.seen_s = time.monotonic()
        for rank in range(gang.ranks):
            if rank not in gang.spawned and supervisor.read_status(str(self._layout.rank(allocation, rank))) is None:
                self._spawn_rank(allocation, gang, rank)

    def _spawn_rank(self, allocation: str, gang: _Gang, rank: int) -> None:
        gang.spawned[rank] = subprocess.Popen(
            [sys.executable, "-I", "-S", supervisor.__file__, str(self._layout.rank(allocation, rank))],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,
        )

    # -- watching ----------------------------------------------------------------------------------------

    def _look(self, allocation: str, gang: _Gang, *, alive_too: bool) -> Report:
        if gang.ranks == 0:
            return Report(allocation=allocation, phase=Phase.ENDED, end_kind=EndKind.STOPPED, message="never started")
        states = [self._rank(allocation, gang, rank, alive_too=alive_too) for rank in range(gang.ranks)]
        if any(state.failed for state in states) and not gang.breaking and not all(state.ended for state in states):
            self._ask_ranks(allocation, gang, gang.stop_signal, min(gang.grace_ms, GANG_GRACE_MS))
            gang.breaking = True
        return report_of(allocation, states, stop_asked=gang.stop_asked)

    def _rank(self, allocation: str, gang: _Gang, rank: int, *, alive_too: bool) -> RankState:
        if rank in gang.ended:
            return gang.ended[rank]
        place = str(self._layout.rank(allocation, rank))
        status = supervisor.read_status(place)
        state = rank_state(rank, status)
        if not state.ended and alive_too and not self._alive(gang, rank, status):
            # It may have written its end between the two looks.
            status = supervisor.read_status(place)
            state = rank_state(rank, status)
            if not state.ended:
                state = self._lost(state, status)
        if state.ended:
            gang.ended[rank] = state
            if rank in gang.spawned:
                self._leaving.append(gang.spawned.pop(rank))
        return state

    def _alive(self, gang: _Gang, rank: int, status: supervisor.Status | None) -> bool:
        """Whether the rank's supervisor lives: pid and start time, in this boot."""
        process = gang.spawned.get(rank)
        if status is None:
            if process is not None:
                return process.poll() is None
            # Without a process of ours the start is to be repeated; without one for long, it is lost.
            return not gang.seen_s or time.monotonic() - gang.seen_s < SPAWN_WAIT_S
        if process is not None:
            process.poll()
        pid, started = status["supervisor"]
        return bool(status["boot"] == self._boot and supervisor.start_time(pid) == started)

    def _lost(self, state: RankState, status: supervisor.Status | None) -> RankState:
        """The supervisor is gone without a word: make sure that its rank is gone too."""
        if status is not None and status["rank"] is not None and status["boot"] == self._boot:
            pid, started = status["rank"]
            _kill_session(pid, started)
        return replace(state, kind="lost", ended_ms=self._clock_ms(), message="its supervisor is gone")

    def _ask_ranks(self, allocation: str, gang: _Gang, signal: str, grace_ms: int) -> None:
        for rank in range(gang.ranks):
            if rank in gang.ended:
                continue
            place = self._layout.rank(allocation, rank)
            write_json(place / "stop.json", {"signal": signal, "grace_ms": grace_ms})
            status = supervisor.read_status(str(place))
            if status is None and rank not in gang.spawned:
                # A crash came before its start. Its supervisor sees the request, and writes that it never ran.
                self._spawn_rank(allocation, gang, rank)
            elif status is not None and not status["kind"] and self._alive(gang, rank, status):
                _nudge(status["supervisor"][0])

    def _heard(self, allocation: str) -> None:
        with self._lock:
            self._hinted.add(allocation)
            wakers = list(self._wakers)
        for wake in wakers:
            wake()


def _await_all(processes: list[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        process.wait()


def _nudge(pid: int) -> None:
    """Make a supervisor look for its stop file now; it also looks once a second."""
    try:
        os.kill(pid, signals.SIGUSR1)
    except ProcessLookupError:
        return


def _kill_session(leader: int, started: int) -> None:
    """Kill what is left of a rank's session. The leader dies with its supervisor; its children may not have."""
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) == leader and _of_that_leader(leader, started):
                process.kill()
        except (psutil.Error, ProcessLookupError, PermissionError):
            continue


def _of_that_leader(leader: int, started: int) -> bool:
    """The session is the rank's unless its leader's pid now belongs to another process."""
    now = supervisor.start_time(leader)
    return now is None or now == started


def _json(value: object) -> bytes:
    return json.dumps(value).encode()
