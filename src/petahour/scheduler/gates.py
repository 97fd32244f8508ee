"""Gates: jobs that may not be looked at yet, as others must be over first or enough of their array are under way."""

from __future__ import annotations

from heapq import heappop, heappush

from petahour.model.jobs import Job, JobState
from petahour.scheduler.plan import Hold, HoldCode


class Gates:
    """Which queued jobs wait for other jobs. The owner tells it every job that waits for some or is of an array.

    A job that has passed stays so: when it is queued again after a run, nobody is in its way.
    """

    def __init__(self) -> None:
        self.never: dict[str, str] = {}  # jobs that can never start, by the one that should have succeeded
        self._open: dict[str, dict[str, bool]] = {}  # job -> those it waits for -> whether they must succeed
        self._awaited: dict[str, set[str]] = {}  # the same the other way round
        self._unknown: set[str] = set()
        self._passed: set[str] = set()
        self._under_way: dict[str, set[str]] = {}
        self._lines: dict[str, list[tuple[int, str]]] = {}
        self._arrays: dict[str, tuple[str, int]] = {}  # job -> its array, how many may be under way
        self._fresh: set[str] = set()  # jobs, and arrays, that may have passed since they were looked at
        self._freed: set[tuple[str, int]] = set()

    def put(self, job: Job) -> None:
        """A job that is not over; said again, it changes nothing."""
        spec = job.spec
        if job.id in self._open or job.id in self._passed or not (spec.after or spec.array):
            return
        if spec.array is not None:
            self._arrays[job.id] = spec.array.array, spec.array.at_once
        if job.attempt or job.state is not JobState.QUEUED:
            self._passed.add(job.id)
            if spec.array is not None:
                self._under_way.setdefault(spec.array.array, set()).add(job.id)
            return
        needs = self._open[job.id] = dict[str, bool]()
        for after in spec.after:
            needs[after.job] = needs.get(after.job, False) or after.ok
            if after.job not in self._awaited:
                self._unknown.add(after.job)
            self._awaited.setdefault(after.job, set()).add(job.id)
        self._fresh.add(job.id)
        if spec.array is not None:
            heappush(self._lines.setdefault(spec.array.array, []), (spec.array.index, job.id))

    def ask(self) -> frozenset[str]:
        """Jobs waited for of which nothing is known; asked for once, and told by ``over`` where they are over."""
        unknown, self._unknown = frozenset(self._unknown), set()
        return unknown

    def over(self, job_id: str, *, ok: bool) -> None:
        """A job is over, whether or not it was known here."""
        for waits in self._awaited.pop(job_id, ()):
            needs = self._open[waits]
            if needs.pop(job_id) and not ok:
                self.never[waits] = job_id
            self._fresh.add(waits)
        for other in self._open.pop(job_id, ()):
            self._awaited[other].discard(job_id)
        self._passed.discard(job_id)
        self._fresh.discard(job_id)
        self.never.pop(job_id, None)
        array = self._arrays.pop(job_id, None)
        if array is not None:
            self._under_way.get(array[0], set()).discard(job_id)
            self._freed.add(array)

    def shut(self, job_id: str) -> bool:
        """Whether the job may not be looked at yet."""
        return job_id in self._open

    def release(self) -> list[str]:
        """Jobs that have passed since the last call, in the order in which they may go."""
        passed: list[str] = []
        arrays = set()
        for job_id in sorted(self._fresh):
            if job_id in self._arrays:
                arrays.add(self._arrays[job_id])
            elif self._open.get(job_id) == {} and job_id not in self.never:
                passed.append(self._pass(job_id))
        for array, at_once in sorted(arrays | self._freed):
            under_way, line = self._under_way.setdefault(array, set()), self._lines.get(array, [])
            while line and len(under_way) < at_once:
                job_id = line[0][1]
                if self._open.get(job_id):
                    break  # all of an array wait for the same
                heappop(line)
                if job_id in self._open and job_id not in self.never:
                    under_way.add(job_id)
                    passed.append(self._pass(job_id))
        self._fresh.clear()
        self._freed.clear()
        return passed

    def hold(self, job_id: str) -> Hold | None:
        """Why the job may not be looked at yet; None when nothing here is in its way."""
        needs = self._open.get(job_id)
        if needs is None:
            return None
        if needs:
            first, ok = sorted(needs.items())[0]
            text = f"starts when {first} has {'succeeded' if ok else 'ended'}"
            if len(needs) > 1:
                text += f", and {len(needs) - 1} more it waits for"
            return Hold(job=job_id, code=HoldCode.DEPENDENCY, text=text)
        at_once = self._arrays.get(job_id, ("", 0))[1]
        text = f"at most {at_once} jobs of its array are under way at once; it starts when one of them ends"
        return Hold(job=job_id, code=HoldCode.ARRAY, text=text)

    def held(self) -> list[str]:
        """Every job that may not be looked at yet."""
        return list(self._open)

    def _pass(self, job_id: str) -> str:
        del self._open[job_id]
        self._passed.add(job_id)
        return job_id
