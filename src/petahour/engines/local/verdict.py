"""The verdict on a gang: one report from the states of its ranks."""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from petahour.engines.protocol import Phase, Report
from petahour.model.allocations import EndKind


@dataclass(frozen=True, kw_only=True, slots=True)
class RankState:
    """What is known of one rank. ``kind``: exited, stopped, walltime, spawn-failed or lost."""

    number: int
    started_ms: int | None = None
    ended_ms: int | None = None
    kind: str | None = None
    code: int | None = None
    signal: int | None = None
    message: str = ""

    @property
    def ended(self) -> bool:
        return self.kind is not None

    @property
    def failed(self) -> bool:
        return self.ended and not (self.kind == "exited" and self.code == 0) and self.kind != "stopped"


def rank_state(number: int, status: Mapping[str, object] | None) -> RankState:
    """A rank's state from its supervisor's status file."""
    if status is None:
        return RankState(number=number)

    def whole(name: str) -> int | None:
        value = status[name]
        return value if isinstance(value, int) else None

    kind = status["kind"]
    return RankState(
        number=number,
        started_ms=whole("started_ms"),
        ended_ms=whole("ended_ms"),
        kind=str(kind) if kind is not None else None,
        code=whole("code"),
        signal=whole("signal"),
        message=str(status["message"]),
    )


def report_of(allocation: str, ranks: Sequence[RankState], *, stop_asked: bool) -> Report:
    """STARTING until every rank was started, RUNNING until all have ended, then how the gang ended as one.

    A crash may come between two ranks' starts; what still starts is started again.
    """
    started = [rank.started_ms for rank in ranks if rank.started_ms is not None]
    started_ms = min(started) if started else None
    if not all(rank.ended for rank in ranks):
        begun = all(rank.started_ms is not None or rank.ended for rank in ranks)
        phase = Phase.RUNNING if begun else Phase.STARTING
        return Report(allocation=allocation, phase=phase, started_ms=started_ms)
    ended_ms = max(max(rank.ended_ms or 0 for rank in ranks), started_ms or 0)
    kind, culprit = _how(ranks, stop_asked)
    return Report(
        allocation=allocation,
        phase=Phase.ENDED,
        started_ms=started_ms,
        ended_ms=ended_ms,
        end_kind=kind,
        exit_code=culprit.code if culprit is not None else 0,
        message=_words(kind, culprit),
    )


def _how(ranks: Sequence[RankState], stop_asked: bool) -> tuple[EndKind, RankState | None]:
    if all(rank.kind == "exited" and rank.code == 0 for rank in ranks):
        return EndKind.SUCCEEDED, None
    stopped = next((rank for rank in ranks if rank.kind == "stopped"), None)
    if stop_asked:
        return EndKind.STOPPED, stopped or ranks[0]
    # The first to go wrong is the cause; the others were stopped because of it.
    failed = sorted((rank for rank in ranks if rank.failed), key=lambda rank: (rank.ended_ms or 0, rank.number))
    if not failed:
        return EndKind.STOPPED, stopped
    kinds = {"lost": EndKind.LOST, "walltime": EndKind.WALLTIME}
    return kinds.get(failed[0].kind or "", EndKind.FAILED), failed[0]


def _words(kind: EndKind, rank: RankState | None) -> str:
    if rank is None or kind is EndKind.SUCCEEDED:
        return ""
    if rank.kind == "spawn-failed":
        return f"rank {rank.number} could not be started: {rank.message}"
    if rank.kind == "lost":
        return f"rank {rank.number} was lost: {rank.message}"
    if kind is EndKind.WALLTIME:
        return "walltime reached"
    if rank.signal is not None:
        return f"rank {rank.number} was killed by {signal.Signals(rank.signal).name}"
    return f"rank {rank.number} exited with code {rank.code}"
