"""Placements: accelerators that are free, on nodes that are up, and gangs that are whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from petahour.control.audit.stream.picture import Fault, Host, Picture, host_of, places_of
from petahour.model.events import Event, EventKind

_TWICE = "no accelerator is given twice"
_NODES = "work is placed on nodes that are there and up"
_GANG = "gangs are whole and where they may be"


def placement_faults(picture: Picture, event: Event) -> Iterator[Fault]:
    data: Mapping[str, Any] = event.data
    if event.kind is EventKind.NODE_REGISTERED and event.node in picture.hosts:
        yield from _registered_again(picture, event.node, data)
    elif event.kind is EventKind.JOB_PLACED:
        slots = [(slot["node"], slot["indexes"]) for slot in data["slots"]]
        hosts = [picture.hosts.get(node) for node, _ in slots]
        for node, index in places_of(slots):
            holder = picture.holders.get((node, index))
            if holder is not None:
                yield _TWICE, f"accelerator {index} of {node} is given to {event.allocation}, {holder} holds it"
        for (node, indexes), host in zip(slots, hosts, strict=True):
            yield from _on_node(event.allocation or "", node, indexes, host, data)
        if all(hosts):
            yield from _gang(picture, event, slots, [host for host in hosts if host is not None])


def _registered_again(picture: Picture, name: str, data: Mapping[str, Any]) -> Iterator[Fault]:
    before, now = picture.hosts[name], host_of(data)
    before_shape = (before.pool, before.type, before.accelerators, before.rehearsal)
    if before_shape != (now.pool, now.type, now.accelerators, now.rehearsal) and any(
        node == name for node, _ in picture.holders
    ):
        yield _NODES, f"{name} becomes another node while work holds it"


def _on_node(
    allocation: str, node: str, indexes: list[int], host: Host | None, data: Mapping[str, Any]
) -> Iterator[Fault]:
    if host is None:
        yield _NODES, f"{allocation} is on {node}, which was never registered"
        return
    if host.state != "up":
        yield _NODES, f"{allocation} is placed on {node}, which is {host.state}"
    if (host.type, host.rehearsal) != (data["type"], data["rehearsal"]):
        yield _NODES, f"{allocation} is said to be on {data['type']}, {node} has {host.type}"
    if not indexes or len(set(indexes)) != len(indexes) or not all(0 <= one < host.accelerators for one in indexes):
        yield _NODES, f"{allocation} holds {indexes} of the {host.accelerators} accelerators of {node}"


def _gang(picture: Picture, event: Event, slots: list[tuple[str, list[int]]], hosts: list[Host]) -> Iterator[Fault]:
    job = picture.jobs.get(event.job or "")
    if job is None:
        return
    gang, shown = job.terms["gang"], ", ".join(f"{node}{indexes}" for node, indexes in slots)
    per_node, exclusive = gang["accelerators_per_node"], gang.get("exclusive", False)
    whole = all(
        len(indexes) == (host.accelerators if exclusive else per_node) and len(indexes) >= per_node
        for (_, indexes), host in zip(slots, hosts, strict=True)
    )
    if not whole or len(slots) != gang["nodes"] or len({node for node, _ in slots}) != gang["nodes"]:
        yield _GANG, f"{event.allocation} of a gang of {gang['nodes']} x {per_node} holds {shown}"
    if len({host.pool for host in hosts}) > 1:
        yield _GANG, f"{event.allocation} lies on several pools: {shown}"
    if gang.get("switch") == "required" and len({host.switch for host in hosts}) > 1:
        yield _GANG, f"{event.allocation} has to lie under one switch: {shown}"
    if event.data["type"] not in job.terms["types"]:
        yield _GANG, f"{event.allocation} is on {event.data['type']}, {event.job} accepts {job.terms['types']}"
