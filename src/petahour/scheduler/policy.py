"""Policies: data and a few small functions that say who goes first, and where."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from petahour.scheduler.ask import Running, Waiting
from petahour.scheduler.line import Rank

if TYPE_CHECKING:
    from petahour.scheduler.state import State
    from petahour.scheduler.turns import Share


@dataclass(frozen=True, kw_only=True, slots=True)
class Rounds:
    """Work that may be stopped takes turns: ``share`` says who runs on which type; see ``scheduler.turns``.

    ``everybody``: all such work, not only jobs whose speeds on the types were measured.
    """

    share: Share
    everybody: bool

    def take(self, job: Waiting) -> bool:
        """Whether the job takes turns: spot work that keeps checkpoints."""
        return job.ask.spot and job.checkpoints and (self.everybody or len(job.ask.speeds) > 1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """How a pass decides.

    ``line`` and ``rank``: which line of its ask a job joins and where in it; both hold as long as it waits.
    ``urgency`` orders the lines by their heads, least first; for ``keeps_ms`` it may be used again while a job's
    sweep knows nothing new, and the jobs of a line are of one sweep. ``shared``: one line for all asks, so that
    nobody overtakes (``strict``).

    ``backfill``: the first blocked job that ``reserves`` says yes to gets a reservation that later starts may not
    delay; where the policy is ``patient``, only who has waited longest may be it. ``predicts``: where no walltime is
    declared, reservations go by expected run times.

    ``claim``, where the policy shares time, is a job's claim after running for so many ms more (third argument; the
    fourth is now): a job displaces spot runs whose claim is greater than its own. ``turns_ms`` tells when a run's
    claim next changes by itself.
    ``oracle``: it knows run times, as only a replay can. ``priced``: it looks at prices; a replay must be given some.
    """

    name: str
    line: Callable[[State, Waiting], Hashable]
    rank: Callable[[State, Waiting], Rank]
    urgency: Callable[[State, Waiting, int], Rank]
    types: Callable[[State, Waiting], Sequence[str]] = lambda state, job: job.ask.types
    shared: bool = False
    strict: bool = False
    backfill: bool = False
    patient: bool = False
    keeps_ms: int = 0
    reserves: Callable[[State, Waiting, int], bool] = lambda state, job, now_ms: True
    claim: Callable[[State, Waiting, int, int], float] | None = None
    predicts: bool = False
    turns_ms: Callable[[State, Running, int], int | None] = lambda state, running, now_ms: None
    rounds: Rounds | None = None
    oracle: bool = False
    priced: bool = False
