"""Decisions: once the log tells of passes, nothing is placed or made to yield that none of them decided."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from petahour.control.audit.stream.picture import Fault, Picture
from petahour.model.events import Event, EventKind

_DECIDED = "only what a pass decided is placed or stopped"


def decision_faults(picture: Picture, event: Event) -> Iterator[Fault]:
    data: Mapping[str, Any] = event.data
    if event.kind is EventKind.PASS_MADE:
        seen = data.get("seen", 0)
        if seen > event.seq:
            yield _DECIDED, f"the pass of event {event.seq} has seen event {seen}"
        return
    if not picture.passes:
        return
    if event.kind is EventKind.JOB_PLACED:
        place = picture.decided.get(event.job or "")
        if place is None:
            yield _DECIDED, f"{event.job} is placed, the last pass did not decide it"
            return
        slots = [[slot["node"], slot["indexes"]] for slot in data["slots"]]
        same = (place["type"], place["slots"], place["borrowed"]) == (data["type"], slots, data["borrowed"])
        if not same or place.get("reservation", "") != data.get("reservation", ""):
            yield _DECIDED, f"{event.job} is placed on {slots}, decided was {place['slots']}"
    elif event.kind is EventKind.JOB_STOPPING and data["stop_cause"] == "preempted":
        stop = (event.allocation or "", str(data.get("stop_for")))
        if stop not in picture.stops:
            yield _DECIDED, f"{stop[0]} is stopped for {stop[1]}, the last pass did not decide it"
