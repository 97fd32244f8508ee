"""Passes: what the log keeps of scheduling passes, so that they can be made again.

A pass that decides something is stored in the transactions that carry its decisions out, part by part. One that
decides nothing is stored with the next that does: it matters only to the state in memory, and is lost with it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from petahour.control.conduct import Conduct, conduct_data
from petahour.model.events import Event, EventKind
from petahour.scheduler.plan import Place, Preempt

MOST_IDLE = 500  # passes that decided nothing, before they are stored by themselves

# (part from 1, placements, preemptions) -> the event that is stored with them
Note = Callable[[int, Sequence[Place], Sequence[Preempt]], Event]


class Passes:
    """What is not stored yet: how the state was loaded, and the passes since that decided nothing."""

    def __init__(self) -> None:
        self._loaded: dict[str, object] = {}
        self._idle: list[list[int]] = []

    def begin(self, seen: int, conduct: Conduct) -> None:
        """The state was made anew of the log up to ``seen``: what is not stored of earlier passes is void."""
        self._loaded = {"seen": seen, **conduct_data(conduct)}
        self._idle = []

    def idle(self, now_ms: int, seen: int) -> None:
        """A pass decided nothing."""
        self._idle.append([now_ms, seen])

    @property
    def many(self) -> bool:
        """Whether it is time to store those that decided nothing."""
        return len(self._idle) >= MOST_IDLE

    def note(self, now_ms: int, seen: int) -> Note:
        """A pass, with all that is not stored yet in its first part; ``stored`` tells when it is."""

        def event(part: int, places: Sequence[Place], preempts: Sequence[Preempt]) -> Event:
            data: dict[str, object] = {"seen": seen, "part": part}
            if part == 1:
                data |= self._pending()
            data["places"] = [_place(place) for place in places]
            data["preempts"] = [{"allocation": one.allocation, "for_job": one.for_job} for one in preempts]
            return Event(kind=EventKind.PASS_MADE, at_ms=now_ms, data=data)

        return event

    def gathered(self, now_ms: int) -> Event:
        """The passes that decided nothing, by themselves."""
        return Event(kind=EventKind.PASS_MADE, at_ms=now_ms, data=self._pending())

    def stored(self) -> None:
        """All up to now is in the log."""
        self._loaded, self._idle = {}, []

    def _pending(self) -> dict[str, object]:
        pending: dict[str, object] = {"loaded": self._loaded} if self._loaded else {}
        if self._idle:
            pending["idle"] = list(self._idle)
        return pending


def _place(place: Place) -> dict[str, object]:
    slots = [[slot.node, list(slot.indexes)] for slot in place.slots]
    placed: dict[str, object] = {"job": place.job, "type": place.type, "slots": slots, "borrowed": place.borrowed}
    return placed | {"reservation": place.reservation} if place.reservation else placed
