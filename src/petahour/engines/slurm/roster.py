"""The roster: the gangs of the engine, and Slurm jobs of ours that no gang is known for, behind one lock."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from petahour.engines.protocol import Phase, Report
from petahour.engines.slurm.gang import Gang
from petahour.engines.slurm.gres import Discovery
from petahour.engines.slurm.reading import SlurmJob

Claimant = Callable[[str], int | None]  # the Slurm job that took an allocation for good, if one has
SURE = 2  # answers of Slurm in a row that must agree before something is held to be gone, or an orphan


@dataclass(kw_only=True, slots=True)
class Stranger:
    """Live jobs that carry our mark and an allocation nobody here started; ``seen``: in how many answers."""

    jobs: tuple[SlurmJob, ...]
    seen: int


@dataclass(kw_only=True, slots=True)
class Roster:
    """Shared by the engine's callers and its watch; every access holds ``lock``.

    ``answered``: how many times Slurm has said which jobs it has. ``cancels``: Slurm jobs to be ended.
    """

    lock: threading.RLock = field(default_factory=threading.RLock)
    gangs: dict[str, Gang] = field(default_factory=dict)
    strangers: dict[str, Stranger] = field(default_factory=dict)
    hinted: set[str] = field(default_factory=set)
    cancels: set[int] = field(default_factory=set)
    answered: int = 0
    discovery: Discovery | None = None
    wakers: list[Callable[[], None]] = field(default_factory=list)

    def take(self, jobs: Mapping[str, Sequence[SlurmJob]], asked_s: float, claimant: Claimant) -> None:
        """What Slurm has now, by allocation: give each gang its job, notice what is missing or a stranger."""
        self.answered += 1
        for allocation, gang in self.gangs.items():
            found = jobs.get(allocation, ())
            if found:
                self._bind(allocation, gang, found, claimant)
            elif gang.expected(asked_s):
                gang.missed += 1
                if gang.missed >= SURE:
                    gang.job = None
                self.hinted.add(allocation)
        strangers = {}
        for allocation, found in jobs.items():
            live = tuple(job for job in found if job.live and job.state != "COMPLETING")
            if live and allocation not in self.gangs:
                before = self.strangers.get(allocation)
                strangers[allocation] = Stranger(jobs=live, seen=1 + (before.seen if before else 0))
        self.strangers = strangers

    def _bind(self, allocation: str, gang: Gang, found: Sequence[SlurmJob], claimant: Claimant) -> None:
        """Its job is the one that claimed it; before that the one it was handed in as, or the latest.

        More than one that lives means that it was handed in twice: those that cannot have it any more are ended.
        """
        live = [one for one in found if one.live]
        claimed = claimant(allocation) if len(found) > 1 else None
        known = gang.job_id if claimed is None else claimed
        job = max(found, key=lambda one: (one.id == known and (one.live or not live), one.live, one.id))
        if claimed is not None:
            job = next((one for one in found if one.id == claimed), job)
        self.cancels.update(one.id for one in live if one is not job and (one.pending or claimed == job.id))
        gang.missed, gang.lookup = 0, False
        if gang.job != job:
            gang.job, gang.job_id = job, job.id
            self.hinted.add(allocation)

    def news(self) -> bool:
        """Whether a poll would return something."""
        return any(gang.report is not None and gang.report.phase is not gang.reported for gang in self.gangs.values())

    def reports(self, *, full: bool) -> list[Report]:
        """Reports not told yet, or all."""
        told = []
        for allocation, gang in self.gangs.items():
            report = gang.report or Report(allocation=allocation, phase=Phase.STARTING)
            if full or (gang.report is not None and report.phase is not gang.reported):
                gang.reported = report.phase
                told.append(report)
        return told
