"""Foresee: when a job that waits is expected to start, as an interval."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from petahour.scheduler.ask import Waiting
from petahour.scheduler.play import Play
from petahour.scheduler.present import Present

DRAWS = 9  # of run times; the interval leaves out one of them at each end
ENOUGH = 5  # fewer tell the middle alone
EVENTS = 6_000  # ends of runs that all draws together look at


@dataclass(frozen=True, kw_only=True, slots=True)
class Expected:
    """When a job starts: in one of ten cases before ``earliest_ms``, in half before ``median_ms``, in nine of ten
    before ``latest_ms``. None: later than was looked at; where so much lies ahead that only the middle was found,
    ``earliest_ms`` is None too.
    """

    earliest_ms: int | None
    median_ms: int | None
    latest_ms: int | None


def foresee(
    present: Present, now_ms: int, jobs: Iterable[str], *, extra: Iterable[Waiting] = (), draws: int = DRAWS
) -> dict[str, Expected]:
    """Expected starts of these jobs if nothing new arrives, over ``draws`` of the run times of all that run or wait.

    ``extra`` jobs are taken to wait as well. Run times come from what is learned of each kind of job, within declared
    walltimes. Credit is taken to last.
    """
    wanted, more = set(jobs), list(extra)
    begun: dict[str, list[int]] = {job: [] for job in wanted}
    played, left = 0, EVENTS
    # A further draw is worth its time only if it comes as far as the first one.
    while played < draws and (not played or left * played >= EVENTS - left):
        play = Play(present, now_ms, played, extra=more)
        left -= play.until(wanted, left)
        played += 1
        for job in wanted & play.began_ms.keys():
            begun[job].append(play.began_ms[job])
    return {job: _expected(sorted(instants), played) for job, instants in begun.items()}


def _expected(instants: list[int], draws: int) -> Expected:
    def at(part: float) -> int | None:
        place = round(part * (draws - 1))
        return instants[place] if place < len(instants) else None

    if draws < ENOUGH:
        return Expected(earliest_ms=None, median_ms=at(0.5), latest_ms=None)
    return Expected(earliest_ms=at(0.1), median_ms=at(0.5), latest_ms=at(0.9))
