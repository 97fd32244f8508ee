"""The Slurm engine: what callers ask is noted and answered at once; the watch carries it out."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from petahour.engines.local.wake import Wake
from petahour.engines.output import read_output
from petahour.engines.protocol import OUR_REASON, Launch, LogChunk, Report
from petahour.engines.slurm.commands import Commands
from petahour.engines.slurm.gang import Gang, adopted
from petahour.engines.slurm.gang_files import GangFiles
from petahour.engines.slurm.rest import Rest
from petahour.engines.slurm.roster import SURE, Roster
from petahour.engines.slurm.script import DEFAULT_PATH, submission_of
from petahour.engines.slurm.settings import SlurmSettings
from petahour.engines.slurm.transport import Transport, away
from petahour.engines.slurm.watch import Watch
from petahour.model.errors import NotFoundError, UnavailableError
from petahour.model.resources import Node

KILL_MARGIN_S = 5.0  # after a stop's grace, Slurm itself is asked to end what is left


class SlurmEngine:
    """Gangs as Slurm jobs. ``directory`` lies on a file system that this host and all nodes share."""

    name: str

    def __init__(
        self,
        directory: Path,
        *,
        settings: SlurmSettings,
        clock_ms: Callable[[], int],
        name: str = "slurm",
        transport: Transport | None = None,
    ) -> None:
        self.name = name
        self._settings = settings
        self._files = GangFiles(directory)
        self._roster = Roster(gangs={name: adopted(known) for name, known in self._files.known().items()})
        self._roster.hinted.update(self._roster.gangs)
        self._transport = transport or transport_of(settings)
        self._watch = Watch(
            roster=self._roster,
            files=self._files,
            transport=self._transport,
            settings=settings,
            engine=name,
            clock_ms=clock_ms,
        )
        self._wake = Wake(directory, self._heard)
        self._watch.start()

    # -- the protocol ------------------------------------------------------------------------------------

    def start(self, launch: Launch) -> None:
        with self._roster.lock:
            gang = self._roster.gangs.get(launch.allocation)
            if gang is not None and (gang.stop_asked or gang.over or gang.submission is not None):
                return
            if gang is None and self._files.over_mark(launch.allocation).exists():
                return
            discovery = self._roster.discovery
            if discovery is None:
                raise away("it has not said yet which nodes it has")
            submission = submission_of(
                launch,
                places=discovery.places,
                settings=self._settings,
                instance=self._files.instance,
                folder=self._files.directory(launch.allocation),
                over=self._files.over_mark(launch.allocation),
                agent=self._files.agent,
                path=os.environ.get("PATH", DEFAULT_PATH),
            )
            if gang is None:
                try:
                    self._files.prepare(launch, discovery.places, self._settings, self._wake.path)
                except OSError as error:
                    raise _no_room(launch.allocation, error) from error
                gang = Gang(
                    ranks=sum(len(slot.indexes) for slot in launch.slots),
                    grace_ms=launch.grace_ms,
                    stop_signal=launch.stop_signal,
                )
                self._roster.gangs[launch.allocation] = gang
            gang.submission = submission
        self._watch.wake()

    def stop(self, allocation: str, *, signal: str, grace_ms: int) -> None:
        with self._roster.lock:
            gang = self._roster.gangs.get(allocation)
            if gang is None:
                gang = self._roster.gangs[allocation] = Gang(ranks=0, grace_ms=grace_ms, stop_signal=signal)
                stranger = self._roster.strangers.pop(allocation, None)
                if stranger is not None:
                    gang.job, gang.job_id = stranger.jobs[0], stranger.jobs[0].id
                    self._roster.cancels.update(job.id for job in stranger.jobs)
            gang.stop_asked = True
            kill_at_s = time.monotonic() + grace_ms / 1_000 + KILL_MARGIN_S
            gang.kill_at_s = min(kill_at_s, gang.kill_at_s or kill_at_s)
            self._files.ask_to_stop(allocation, signal, grace_ms)
        self._heard(allocation)

    def poll(self, *, full: bool = False) -> Sequence[Report]:
        with self._roster.lock:
            return self._roster.reports(full=full)

    def forget(self, allocation: str) -> None:
        with self._roster.lock:
            self._roster.gangs.pop(allocation, None)
            stranger = self._roster.strangers.get(allocation)
            if stranger is not None and stranger.seen >= SURE:
                self._roster.cancels.update(job.id for job in stranger.jobs)
            self._files.forget(allocation)

    def known(self) -> frozenset[str]:
        with self._roster.lock:
            strangers = (name for name, one in self._roster.strangers.items() if one.seen >= SURE)
            return frozenset([*self._roster.gangs, *strangers])

    def log(self, allocation: str, rank: int, *, offset: int, limit_bytes: int) -> LogChunk:
        with self._roster.lock:
            gang = self._roster.gangs.get(allocation)
            complete = gang is None or gang.ranks == 0 or rank in gang.ended or gang.over
            if gang is not None and gang.ranks and not 0 <= rank < gang.ranks:
                raise NotFoundError(
                    field="rank", value=rank, rule=f"a rank from 0 to {gang.ranks - 1}", remedy="Choose one of those."
                )
        return read_output(
            self._files.log(allocation, rank), offset=offset, limit_bytes=limit_bytes, complete=complete
        )

    def nodes(self) -> Sequence[Node] | None:
        with self._roster.lock:
            return None if self._roster.discovery is None else self._roster.discovery.nodes

    def drain(self, node: str, reason: str) -> None:
        self._order(node, OUR_REASON + (reason or "drained"))

    def resume(self, node: str) -> None:
        self._order(node, "")

    def subscribe(self, wake: Callable[[], None]) -> None:
        with self._roster.lock:
            self._roster.wakers.append(wake)

    def close(self) -> None:
        self._wake.close()
        self._watch.close()
        self._transport.close()

    # -- within --------------------------------------------------------------------------------------------

    def await_nodes(self, limit_s: float) -> bool:
        """Wait until Slurm has said which nodes it has; False when it does not within the time."""
        deadline_s = time.monotonic() + limit_s
        while self.nodes() is None and time.monotonic() < deadline_s:
            time.sleep(0.02)
        return self.nodes() is not None

    def _order(self, node: str, reason: str) -> None:
        with self._roster.lock:
            places = {} if self._roster.discovery is None else self._roster.discovery.places
        if node in places:
            self._watch.order(places[node].node, reason)

    def _heard(self, allocation: str) -> None:
        with self._roster.lock:
            self._roster.hinted.add(allocation)
        self._watch.wake()


def transport_of(settings: SlurmSettings) -> Transport:
    """slurmrestd where the site has it, else the command line."""
    commands = Commands(settings.conf)
    return commands if settings.rest is None else Rest(settings.rest, commands)


def _no_room(allocation: str, error: OSError) -> UnavailableError:
    return UnavailableError(
        field="engine",
        value=allocation,
        rule=f"the shared directory takes files ({error.strerror})",
        remedy="Free disk space there; the start is tried again.",
    )
