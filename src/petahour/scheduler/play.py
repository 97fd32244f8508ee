"""Play: the present played forward, pass by pass, with the run times of one draw."""

from __future__ import annotations

from collections.abc import Iterable
from heapq import heappop, heappush
from math import floor
from zlib import crc32

from petahour.model.time import SECOND_MS
from petahour.scheduler.ask import Running, Waiting
from petahour.scheduler.decide import decide
from petahour.scheduler.decisions import Start
from petahour.scheduler.present import Present
from petahour.scheduler.state import State

STOPPING_MS = 30 * SECOND_MS  # what has been told to stop is taken to be gone after so long
GOLDEN = 0.6180339887498949  # its multiples spread evenly over 0..1 whatever their number


class Play:
    """A state apart from the live one, moved on by the ends of its runs. Nothing new arrives.

    Each job's run time is the quantile of what is expected of it that belongs to the job and ``draw``: the draws of
    one job spread evenly over its distribution, and those of several jobs are as good as independent.
    """

    def __init__(self, present: Present, now_ms: int, draw: int, *, extra: Iterable[Waiting] = ()) -> None:
        self._known, self._draw, self.now_ms = present.known, draw, now_ms
        self.began_ms: dict[str, int] = {}
        self._total_ms: dict[str, float] = {}
        self._ends: list[tuple[int, str, int]] = []  # (instant, run, attempt)
        self._attempts: dict[str, int] = {}
        self._again_ms: int | None = None
        self._state = State(present.policy, present.nodes, quotas=present.quotas, bounds=present.bounds)
        self._state.expectation.share(present.known)
        self._state.service = present.service.at(now_ms)
        self._state.asks = present.asks
        self._state.promises = present.promises.copy()
        self._state.reserved, self._state.turns = present.reserved, present.turns
        for running in present.running:
            self._resume(running)
        for job in sorted([*present.waiting, *extra], key=lambda job: job.seq):
            if job.id not in self._attempts:
                self._enqueue(job)

    def at_once(self, job_id: str) -> bool:
        """Whether the next pass starts the job, or stops others for it; the pass is not carried out.

        What is kept for a gang now is out of its reach, as here nobody knows what the live state expects of jobs that
        were submitted in a row, by which the gang may go first.
        """
        held = self._state.reserved
        if held is not None:
            self._state.room.pools[held.pool].take(held.renewed(self._state).claimed)
        made = decide(self._state, self.now_ms)
        return any(start.job.id == job_id for start in made.starts) or any(
            stop.for_job == job_id for stop in made.stops
        )

    def until(self, wanted: set[str], events: int) -> int:
        """Pass after pass until all that are wanted have begun, or so many events are over: how many it took."""
        state = self._state
        for count in range(events):
            self._decide()
            if wanted <= self.began_ms.keys() or not len(state.lines):
                return count + 1
            due_ms = [ends[0][0] for ends in (self._ends,) if ends]
            if self._again_ms is not None:
                due_ms.append(self._again_ms)
            edge_ms = state.promises.edge_after(self.now_ms) if state.promises.some else None
            if edge_ms is not None:
                due_ms.append(edge_ms)
            if not due_ms:
                return count + 1
            self.now_ms = max(self.now_ms, min(due_ms))
            while self._ends and self._ends[0][0] <= self.now_ms:
                _, run, attempt = heappop(self._ends)
                if self._attempts[run] == attempt:
                    state.release(run, self.now_ms)
        return events

    def _resume(self, running: Running) -> None:
        """What runs goes on, and ends when this draw has it end."""
        job = running.job._replace(sweep=None)
        ran_ms = max(0, self.now_ms - running.placed_ms)
        attained_ms = job.attained_ms + ran_ms
        self._total_ms[job.id] = attained_ms + self._left_ms(running.job, attained_ms)
        left_ms = self._total_ms[job.id] - attained_ms
        if running.ends_ms is not None:
            left_ms = min(left_ms, max(1, running.ends_ms - self.now_ms))
        if running.stopping:
            left_ms = min(left_ms, STOPPING_MS)
        self._run(running._replace(job=job), self.now_ms + max(1, round(left_ms)))

    def _enqueue(self, job: Waiting) -> None:
        self._attempts.setdefault(job.id, 0)
        if job.id not in self._total_ms:
            self._total_ms[job.id] = job.attained_ms + self._left_ms(job, job.attained_ms)
        self._state.enqueue(job._replace(sweep=None, work_ms=round(self._total_ms[job.id]) - job.attained_ms))

    def _left_ms(self, job: Waiting, attained_ms: int) -> float:
        share = crc32(job.id.encode()) / 2**32 + self._draw * GOLDEN
        return self._known.quantile_ms(job, attained_ms, share - floor(share), self.now_ms)

    def _decide(self) -> None:
        state = self._state
        while True:
            made = decide(state, self.now_ms)
            state.reserved = made.reserved
            if made.turns is not None:
                state.turns = made.turns
                self._again_ms = made.turns.until_ms if made.turns.crowd else None
            for start in made.starts:
                self._start(start)
            for stop in made.stops:
                self._stop(stop.running)
            if not made.stops:
                return

    def _start(self, start: Start) -> None:
        job = start.job
        self._state.dequeue(job.id)
        self.began_ms.setdefault(job.id, self.now_ms)
        left_ms = max(SECOND_MS, (self._total_ms[job.id] - job.attained_ms) / job.ask.speed(start.type))
        bound_ms = None if job.walltime_ms is None else self.now_ms + job.walltime_ms
        running = Running(
            id=job.id,
            job=job,
            type=start.type,
            pool=start.pool,
            grants=start.grants,
            accelerators=sum(mask.bit_count() for _, mask in start.grants),
            placed_ms=self.now_ms,
            borrowed=start.borrowed,
            ends_ms=bound_ms,
            reservation=start.reservation,
        )
        end_ms = self.now_ms + round(left_ms)
        self._run(running, end_ms if bound_ms is None else min(end_ms, bound_ms))

    def _run(self, running: Running, end_ms: int) -> None:
        self._attempts[running.id] = self._attempts.get(running.id, 0) + 1
        self._attempts.setdefault(running.job.id, 0)
        heappush(self._ends, (end_ms, running.id, self._attempts[running.id]))
        self._state.start(running, self.now_ms)

    def _stop(self, run: str) -> None:
        running = self._state.release(run, self.now_ms)
        if running is not None:
            self._attempts[run] += 1
            job = running.job
            ran_ms = self.now_ms - running.placed_ms
            self._enqueue(job._replace(attained_ms=job.attained_ms + ran_ms, preemptions=job.preemptions + 1))
