"""Where the story is shown: a live table on a terminal, lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import TracebackType
from typing import Protocol

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from petahour.cli.job_view import job_table
from petahour.cli.render import clean
from petahour.cli.session import now_ms
from petahour.client.types import Event, Job


class Stage(Protocol):
    """Takes what happens, in order."""

    def say(self, line: str) -> None:
        """One line of the story."""

    def show(self, jobs: Sequence[Job], events: Sequence[Event]) -> None:
        """The queue now, and what happened since the last time."""


class LineStage:
    """Every line and every step of a job as a line with the time since the beginning."""

    def __init__(self, target: Console) -> None:
        self._target = target
        self._begun_s = time.monotonic()
        self._names: dict[str, str] = {}

    def say(self, line: str) -> None:
        passed_s = time.monotonic() - self._begun_s
        self._target.print(Text(f"{passed_s:5.1f}s  {clean(line)}"))

    def show(self, jobs: Sequence[Job], events: Sequence[Event]) -> None:
        self._names |= {job.id: job.name for job in jobs}
        for event in events:
            if event.job is not None:
                self.say(_step(event, self._names.get(event.job, event.job)))


class LiveStage(LineStage):
    """The same lines, and below them the queue as it is, redrawn in place."""

    def __init__(self, target: Console) -> None:
        super().__init__(target)
        self._live = Live(console=target, auto_refresh=False)

    def __enter__(self) -> LiveStage:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._live.stop()

    def show(self, jobs: Sequence[Job], events: Sequence[Event]) -> None:
        super().show(jobs, events)
        self._live.update(Group("", job_table(jobs, now_ms=now_ms(), width=self._target.width)), refresh=True)


def _step(event: Event, name: str) -> str:
    before, after = event.data.get("before"), event.data.get("after")
    step = f"{before} -> {after}" if before else f"{after}"
    return f"{event.tenant}'s {name}: {step} ({event.data.get('cause')})"
