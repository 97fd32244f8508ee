"""Promises in time: nothing is placed that would run into maintenance, or lie on what is another's then."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from petahour.control.audit.stream.picture import Fault, Ordered, Picture, Run, places_of
from petahour.model.events import Event, EventKind
from petahour.model.promises import LENT_GRACE_MS

_WINDOWS = "maintenance windows are kept free"
_SEATS = "reservations are kept"


def promise_faults(picture: Picture, event: Event) -> Iterator[Fault]:
    data: Mapping[str, Any] = event.data
    if event.kind is EventKind.RESERVATION_SET:
        yield from _seated(picture, data["reservation"], event.at_ms)
        return
    job = picture.jobs.get(event.job or "")
    if job is None:
        return
    if event.kind is EventKind.JOB_PLACED:
        # A placement is judged as of the pass that decided it.
        at_ms = event.at_ms if picture.pass_ms is None else min(event.at_ms, picture.pass_ms)
        yield from _into_window(picture, event, job, at_ms)
        yield from _on_seats(picture, event, job, at_ms)
    elif event.kind is EventKind.JOB_STOPPING and data["stop_cause"] == "recalled":
        run = picture.runs.get(event.allocation or "")
        if run is not None and (job.terms["tier"] != "spot" or not _on_kept(picture, run, event.at_ms)):
            yield _SEATS, f"{event.allocation} is taken off seats that it is not on, or that are lent"
    elif event.kind is EventKind.JOB_STOPPING and data["stop_cause"] == "maintenance":
        run = picture.runs.get(event.allocation or "")
        if run is not None and not any(_makes_way(window, job, run) for window in picture.windows.values()):
            yield _WINDOWS, f"{event.allocation} makes way for maintenance that it is not in the way of"


def on_seats_of(picture: Picture, tenant: str, run: Run, at_ms: int) -> bool:
    """Whether any of the run lies on seats that are the tenant's at the instant."""
    places = set(places_of(run.slots))
    return any(
        one["tenant"] == tenant and one["from_ms"] <= at_ms < one["to_ms"] and places & _seats(one)
        for one in picture.reservations.values()
    )


def _into_window(picture: Picture, event: Event, job: Ordered, at_ms: int) -> Iterator[Fault]:
    nodes = {slot["node"] for slot in _list(event.data["slots"])}
    for window in picture.windows.values():
        hit = sorted(nodes & set(window["nodes"]))
        if not hit or at_ms >= window["to_ms"] or _over_before(job, at_ms, window["from_ms"]):
            continue
        if at_ms >= window["from_ms"] or not _movable(job):
            yield _WINDOWS, f"{event.allocation} is placed on {hit[0]} and runs into {window['id']}"


def _makes_way(window: Mapping[str, Any], job: Ordered, run: Run) -> bool:
    if not {node for node, _ in run.slots} & set(window["nodes"]):
        return False
    return bool(window["empties"]) or _movable(job)


def _on_seats(picture: Picture, event: Event, job: Ordered, at_ms: int) -> Iterator[Fault]:
    data: Mapping[str, Any] = event.data
    places = set(places_of([(slot["node"], slot["indexes"]) for slot in data["slots"]]))
    named = [name for name in data.get("reservation", "").split("+") if name]
    own: set[tuple[str, int]] = set()
    for name in named:
        one = picture.reservations.get(name)
        if one is None or one["tenant"] != job.tenant or not one["from_ms"] <= at_ms < one["to_ms"]:
            yield _SEATS, f"{event.allocation} is placed for {name}, which is not {job.tenant}'s now"
        else:
            own |= _seats(one)
    if named and (places - own or job.terms["tier"] != "reserved"):
        yield _SEATS, f"{event.allocation} is placed for {'+'.join(named)} and is no reserved work on its seats"
    # Whoever lies on own seats has them to the end of the own reservation, and yields to the next one then.
    for name, one in picture.reservations.items():
        if name in named or not (places - own) & _seats(one) or at_ms >= one["to_ms"]:
            continue
        lent = one["lends"] and job.terms["grace_ms"] <= LENT_GRACE_MS
        spot = job.terms["tier"] == "spot" and (lent or at_ms < one["from_ms"])
        if not spot and not _over_before(job, at_ms, one["from_ms"]):
            yield _SEATS, f"{event.allocation} of {job.tenant} is placed on seats of {name} of {one['tenant']}"


def _on_kept(picture: Picture, run: Run, at_ms: int) -> bool:
    """Whether any of the run lies on seats that are a tenant's at the instant, and not lent."""
    places = set(places_of(run.slots))
    return any(
        one["from_ms"] <= at_ms < one["to_ms"] and not one["lends"] and places & _seats(one)
        for one in picture.reservations.values()
    )


def _seated(picture: Picture, one: Mapping[str, Any], at_ms: int) -> Iterator[Fault]:
    if one["state"] != "confirmed":
        return
    slots = [(seat["node"], seat["indexes"]) for seat in one["seats"]]
    hosts = [picture.hosts.get(node) for node, _ in slots]
    per_node = Counter(len(indexes) for _, indexes in slots)
    if per_node != Counter({one["per_node"]: one["nodes"]}) or len({node for node, _ in slots}) != len(slots):
        yield _SEATS, f"{one['id']} of {one['nodes']} x {one['per_node']} has the seats {slots}"
    for (node, indexes), host in zip(slots, hosts, strict=True):
        if host is None or host.type != one["type"] or not all(0 <= place < host.accelerators for place in indexes):
            yield _SEATS, f"{one['id']} has seats {indexes} on {node}, which has no such {one['type']}"
    if len({host.pool for host in hosts if host is not None}) > 1:
        yield _SEATS, f"{one['id']} has seats in several pools"
    for name, other in picture.reservations.items():
        # Seats that move are its own from now on: whose they were before is of no matter.
        apart = other["to_ms"] <= max(at_ms, one["from_ms"]) or one["to_ms"] <= other["from_ms"]
        if name != one["id"] and not apart and _seats(one) & _seats(other):
            yield _SEATS, f"{one['id']} has seats that are {name}'s at the same time"


def _over_before(job: Ordered, at_ms: int, from_ms: int) -> bool:
    walltime_ms = job.terms["walltime_ms"]
    return walltime_ms is not None and at_ms + walltime_ms <= from_ms


def _movable(job: Ordered) -> bool:
    terms = job.terms
    return terms["tier"] == "spot" or (terms["checkpoint_dir"] is not None and terms["walltime_ms"] is None)


def _seats(one: Mapping[str, Any]) -> set[tuple[str, int]]:
    return set(places_of([(seat["node"], seat["indexes"]) for seat in one["seats"]]))


def _list(value: Any) -> list[Any]:
    return list(value)
