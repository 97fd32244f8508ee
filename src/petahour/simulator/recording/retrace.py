"""Retrace: make every recorded scheduling pass again, on what it had seen, and compare what it decides."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

from petahour.control.conduct import Conduct, conduct_from
from petahour.control.follow import Follower
from petahour.control.memory import remembered_of
from petahour.model.errors import PetahourError, ValidationError
from petahour.model.events import Event, EventKind
from petahour.scheduler.plan import Place, Plan, Preempt

NOTHING = "nothing"


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """The first decision that is another one now: of the pass at ``at_ms``, stored with event ``seq``."""

    seq: int
    at_ms: int
    job: str
    then: str
    now: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Retraced:
    """How many passes were made again and what they decided; ``loads``: how often the state was made anew."""

    passes: int
    idle: int
    placements: int
    preemptions: int
    loads: int
    difference: Difference | None = None


@dataclass(kw_only=True, slots=True)
class _Pass:
    """One recorded pass; its parts are one list."""

    event: Event
    places: list[Any] = field(default_factory=list)
    preempts: list[Any] = field(default_factory=list)
    cut_off: bool = False


def retrace(log: Sequence[Event]) -> Retraced:
    """Under the recorded policy, settings and prices, up to the first difference.

    Raises ValidationError where the log holds no pass, or does not hang together.
    """
    run = _Run(log)
    event: Event | None = None
    try:
        for one in _passes(log):
            event = one.event
            if (difference := run.again(one)) is not None:
                return run.told(difference)
    except (KeyError, TypeError, ValueError, AttributeError, PetahourError) as error:
        raise ValidationError(
            field="recording" if event is None else f"recording, the pass of event {event.seq}",
            value=None,
            rule=f"its events follow from one another ({error})",
            remedy="Record the whole log, from its first event.",
        ) from error
    if event is None:
        raise ValidationError(
            field="recording",
            value=len(log),
            rule="at least one scheduling pass is in it",
            remedy="Record a control plane that has placed a job.",
        )
    return run.told(None)


class _Run:
    def __init__(self, log: Sequence[Event]) -> None:
        self._log = log
        self._place = 0
        self._conduct: Conduct | None = None
        self._follower: Follower | None = None
        self._counts = {"passes": 0, "idle": 0, "placements": 0, "preemptions": 0, "loads": 0}

    def told(self, difference: Difference | None) -> Retraced:
        return Retraced(**self._counts, difference=difference)

    def again(self, one: _Pass) -> Difference | None:
        """Make the pass, and those before it that decided nothing."""
        data: Mapping[str, Any] = one.event.data
        if "loaded" in data:
            self._load(data["loaded"])
        for now_ms, seen in data.get("idle", ()):
            self._counts["idle"] += 1
            plan = self._decide(now_ms, seen)
            if plan.places or plan.preempts:
                empty = _Pass(event=one.event)
                return _compared(empty, plan, now_ms)
        if "seen" not in data:
            return None
        plan = self._decide(one.event.at_ms, data["seen"])
        self._counts["passes"] += 1
        self._counts["placements"] += len(one.places)
        self._counts["preemptions"] += len(one.preempts)
        return _compared(one, plan, one.event.at_ms)

    def _load(self, loaded: Mapping[str, Any]) -> None:
        """As a control plane does that starts."""
        conduct = {name: value for name, value in loaded.items() if name != "seen"}
        self._conduct = conduct_from(conduct)
        self._follower = Follower(self._conduct.policy)
        self._follower.take(remembered_of(self._log, loaded["seen"], self._conduct.memory_events))
        self._place, available = 0, dict.fromkeys(self._follower.currencies, 0)
        for event in self._until(loaded["seen"]):
            micros = event.data.get("available_micros")
            if event.tenant is not None and isinstance(micros, int):
                available[event.tenant] = micros
        self._follower.available_micros.update(available)
        self._counts["loads"] += 1

    def _decide(self, now_ms: int, seen: int) -> Plan:
        if self._follower is None or self._conduct is None:
            raise ValueError("no earlier pass tells under which policy and prices")
        self._follower.take(self._until(seen))
        return self._follower.decide(now_ms, self._conduct)

    def _until(self, seen: int) -> Iterator[Event]:
        """The events not taken yet, up to and with this one."""
        while self._place < len(self._log) and self._log[self._place].seq <= seen:
            self._place += 1
            yield self._log[self._place - 1]


def _passes(log: Iterable[Event]) -> Iterator[_Pass]:
    """The recorded passes, each with all its parts. A crash may have cut off the parts of one."""
    last: _Pass | None = None
    for event in log:
        if event.kind is not EventKind.PASS_MADE:
            continue
        data: Mapping[str, Any] = event.data
        if last is None or data.get("part", 1) == 1:
            if last is not None:
                last.cut_off = "loaded" in data
                yield last
            last = _Pass(event=event)
        last.places += data.get("places", ())
        last.preempts += data.get("preempts", ())
    if last is not None:
        last.cut_off = True
        yield last


def _compared(one: _Pass, plan: Plan, at_ms: int) -> Difference | None:
    placed = [(_place(raw), _placed(place)) for raw, place in zip_longest(one.places, plan.places)]
    stopped = [(_preempt(raw), _preempted(preempt)) for raw, preempt in zip_longest(one.preempts, plan.preempts)]
    for (job, then), (now_job, now) in (*placed, *stopped):
        if then == NOTHING and one.cut_off and (one.places or one.preempts):
            continue  # A crash came before it was stored.
        if (job, then) != (now_job, now):
            return Difference(
                seq=one.event.seq, at_ms=at_ms, job=job or now_job, then=then, now=_of(now_job, now, job)
            )
    return None


def _of(job: str, decided: str, other: str) -> str:
    """What was decided, with the job's name where it is another one."""
    return f"{decided}: {job}" if job and other and job != other else decided


def _place(raw: Mapping[str, Any] | None) -> tuple[str, str]:
    if raw is None:
        return "", NOTHING
    return raw["job"], _placement(
        raw["type"], [(node, indexes) for node, indexes in raw["slots"]], raw["borrowed"], raw.get("reservation", "")
    )


def _placed(place: Place | None) -> tuple[str, str]:
    if place is None:
        return "", NOTHING
    slots = [(slot.node, list(slot.indexes)) for slot in place.slots]
    return place.job, _placement(place.type, slots, place.borrowed, place.reservation)


def _placement(type_name: str, slots: Sequence[tuple[str, Sequence[int]]], borrowed: bool, reservation: str) -> str:
    where = ", ".join(f"{node}[{','.join(map(str, indexes))}]" for node, indexes in slots)
    text = f"start on {type_name} {where}{' as borrowed' if borrowed else ''}"
    return f"{text} for {reservation}" if reservation else text


def _preempt(raw: Mapping[str, Any] | None) -> tuple[str, str]:
    return ("", NOTHING) if raw is None else (raw["for_job"], f"stop {raw['allocation']} for it")


def _preempted(preempt: Preempt | None) -> tuple[str, str]:
    return ("", NOTHING) if preempt is None else (preempt.for_job, f"stop {preempt.allocation} for it")
