"""What the engine remembers of one allocation; all of it can be read from files and from Slurm again."""

from __future__ import annotations

from dataclasses import dataclass, field

from petahour.engines.local.verdict import RankState
from petahour.engines.protocol import Phase, Report
from petahour.engines.slurm.gang_files import Known
from petahour.engines.slurm.reading import SlurmJob
from petahour.engines.slurm.transport import Submission


@dataclass(kw_only=True, slots=True)
class Gang:
    """One allocation. ``ranks`` 0: nothing but a stop was ever asked for.

    ``submission``: to be handed in. ``lookup``: Slurm may have it from an earlier process of the control plane,
    so that it is looked for before it is handed in. ``missed``: answers in a row in which Slurm did not have it.
    ``kill_at_s``: when Slurm is asked to end what has not obeyed by then, on the monotonic clock.
    """

    ranks: int
    grace_ms: int
    stop_signal: str
    stop_asked: bool = False
    submission: Submission | None = None
    lookup: bool = False
    sending: bool = False
    handed_in_s: float | None = None
    job: SlurmJob | None = None
    job_id: int | None = None
    missed: int = 0
    kill_at_s: float | None = None
    refused: str = ""
    given_up: str = ""
    ended: dict[int, RankState] = field(default_factory=dict)
    report: Report | None = None
    reported: Phase | None = None

    @property
    def over(self) -> bool:
        return self.report is not None and self.report.phase is Phase.ENDED

    @property
    def begun(self) -> bool:
        return self.report is not None and self.report.phase is Phase.RUNNING

    def expected(self, asked_s: float) -> bool:
        """Whether Slurm, asked at that instant, should have it: the end of a job is known and may be forgotten."""
        if self.job is not None:
            return self.job.live
        return self.lookup or (self.handed_in_s is not None and self.handed_in_s < asked_s)

    @property
    def unsettled(self) -> bool:
        """Something about it is to change soon: it is starting or stopping."""
        return not self.over and (not self.begun or self.stop_asked or len(self.ended) > 0)


def adopted(known: Known) -> Gang:
    """As an earlier process left it."""
    said = known.submission or {}
    job = said.get("job")
    return Gang(
        ranks=known.ranks,
        grace_ms=known.grace_ms,
        stop_signal=known.stop_signal,
        stop_asked=known.stop_asked,
        lookup=known.ranks > 0,
        job_id=job if isinstance(job, int) else None,
    )
