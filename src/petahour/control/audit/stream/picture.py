"""The auditor's picture of a floor: what the events up to now say, by arithmetic of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from petahour.model.allocations import YIELDING
from petahour.model.events import Event, EventKind

Fault = tuple[str, str]
FINAL = ("succeeded", "failed", "cancelled")


@dataclass(kw_only=True, slots=True)
class Host:
    """A node."""

    pool: str
    type: str
    switch: str
    accelerators: int
    rehearsal: bool
    state: str


@dataclass(kw_only=True, slots=True)
class Ordered:
    """A job. ``run``: the allocation that it runs in."""

    tenant: str
    submitted_ms: int
    terms: Mapping[str, Any]
    state: str = "queued"
    attempts: int = 0
    preemptions: int = 0
    run: str | None = None


@dataclass(kw_only=True, slots=True)
class Run:
    """An allocation that holds accelerators. ``metered_ms``: up to where its time is charged. ``price_varies``: its
    hours may cost other prices than that of its placement. ``postpaid``: its use is owed; ``apart``: and its tenant
    has come to pay before since, so that what may be spent tells nothing of this run any more.
    """

    job: str
    tenant: str
    type: str
    slots: list[tuple[str, list[int]]]
    placed_ms: int
    borrowed: bool
    rehearsal: bool
    price_micros: int
    held_micros: int
    metered_ms: int
    price_varies: bool = False
    reservation: str = ""
    postpaid: bool = False
    apart: bool = False
    started_ms: int | None = None
    yielded_ms: int | None = None

    @property
    def accelerators(self) -> int:
        return sum(len(indexes) for _, indexes in self.slots)


@dataclass(kw_only=True, slots=True)
class Picture:
    """``credit``: what each tenant can spend; None where an older Petahour did not say. ``decided`` and ``stops``:
    what the last pass decided and nobody carried out yet; ``passes``: whether the log has any, ``pass_ms``: when the
    last was made. ``postpaid``: who pays later. ``windows`` that are not over, and confirmed ``reservations``.
    """

    seq: int = 0
    hosts: dict[str, Host] = field(default_factory=dict)
    jobs: dict[str, Ordered] = field(default_factory=dict)
    runs: dict[str, Run] = field(default_factory=dict)
    holders: dict[tuple[str, int], str] = field(default_factory=dict)
    used: Counter[tuple[str, str]] = field(default_factory=Counter)
    quotas: dict[tuple[str, str], tuple[int, int | None]] = field(default_factory=dict)
    credit: dict[str, int | None] = field(default_factory=dict)
    tells_credit: bool = False
    postpaid: set[str] = field(default_factory=set)
    passes: bool = False
    bounds: Mapping[str, Any] = field(default_factory=dict)
    decided: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    stops: set[tuple[str, str]] = field(default_factory=set)
    pass_ms: int | None = None
    windows: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    reservations: dict[str, Mapping[str, Any]] = field(default_factory=dict)

    def take(self, event: Event) -> None:
        """The event has happened, whether it may or not."""
        self.seq = event.seq
        data: Mapping[str, Any] = event.data
        if "available_micros" in data:
            self.tells_credit = True
            self.credit[event.tenant or ""] = data["available_micros"]
        elif moves_credit(self, event):
            self.credit[event.tenant or ""] = None
        kind = event.kind
        if kind is EventKind.NODE_REGISTERED:
            self.hosts[event.node or ""] = host_of(data)
        elif kind is EventKind.NODE_STATE:
            self.hosts[event.node or ""].state = data["after"]
        elif kind is EventKind.TENANT_CREATED:
            self.credit[event.tenant or ""] = 0
        elif kind is EventKind.QUOTA_SET:
            self.quotas[event.tenant or "", data["type"]] = (data["nominal"], data["borrowing_limit"])
        elif kind is EventKind.PRICES_PUBLISHED:
            for run in self.runs.values():
                run.price_varies = True
        elif kind is EventKind.TERMS_SET and "postpaid" in data:
            self._pays(event.tenant or "", later=data["postpaid"])
        elif kind is EventKind.PASS_MADE:
            self._pass(event.at_ms, data)
        elif kind is EventKind.MAINTENANCE_SET:
            _keep(self.windows, data["window"], data["window"]["state"] in ("planned", "open"))
        elif kind is EventKind.RESERVATION_SET:
            _keep(self.reservations, data["reservation"], data["reservation"]["state"] == "confirmed")
        elif kind is EventKind.JOB_SUBMITTED:
            self.jobs[event.job or ""] = Ordered(
                tenant=event.tenant or "", submitted_ms=event.at_ms, terms=data["terms"]
            )
        elif event.job in self.jobs:
            self._job(self.jobs[event.job], event, data)

    def _pays(self, tenant: str, *, later: bool) -> None:
        """A tenant pays later from now on, or before; what runs keeps the account it was placed on."""
        if later:
            self.postpaid.add(tenant)
            return
        self.postpaid.discard(tenant)
        for run in self.runs.values():
            run.apart = run.apart or (run.tenant == tenant and run.postpaid)

    def _pass(self, at_ms: int, data: Mapping[str, Any]) -> None:
        self.passes, self.pass_ms = True, at_ms
        if "loaded" in data:
            self.bounds = data["loaded"]
        self.decided = {place["job"]: place for place in data.get("places", ())}
        self.stops = {(one["allocation"], one["for_job"]) for one in data.get("preempts", ())}

    def _job(self, job: Ordered, event: Event, data: Mapping[str, Any]) -> None:
        name, kind = event.allocation or "", event.kind
        if kind is EventKind.JOB_PLACED:
            self._placed(job, name, event, data)
        elif kind is EventKind.JOB_ENDED:
            self._ended(name)
            job.preemptions += data["after"] == "preempted"
        elif kind is EventKind.JOB_STARTED:
            self.runs[name].started_ms = event.at_ms
        elif kind is EventKind.JOB_STOPPING:
            run = self.runs[name]
            if data["stop_cause"] in YIELDING and run.yielded_ms is None:
                run.yielded_ms = event.at_ms
        elif kind is EventKind.HOURS_CLOSED:
            run = self.runs[name]
            run.held_micros += data.get("held_micros", 0)
            run.metered_ms = data["until_ms"]
        if "after" in data:
            job.state = data["after"]

    def _placed(self, job: Ordered, name: str, event: Event, data: Mapping[str, Any]) -> None:
        job.attempts += 1
        job.run = name
        self.decided.pop(event.job or "", None)
        run = self.runs[name] = Run(
            job=event.job or "",
            tenant=job.tenant,
            type=data["type"],
            slots=[(slot["node"], slot["indexes"]) for slot in data["slots"]],
            placed_ms=event.at_ms,
            borrowed=data["borrowed"],
            rehearsal=data["rehearsal"],
            price_micros=data["price_micros"],
            price_varies=bool(data.get("price_varies", False)),
            held_micros=data.get("held_micros", 0),
            metered_ms=event.at_ms,
            reservation=data.get("reservation", ""),
            postpaid=job.tenant in self.postpaid,
        )
        if not run.reservation:
            self.used[run.tenant, run.type] += run.accelerators
        self.holders |= dict.fromkeys(places_of(run.slots), name)

    def _ended(self, name: str) -> None:
        run = self.runs.pop(name)
        self.jobs[run.job].run = None
        if not run.reservation:
            self.used[run.tenant, run.type] -= run.accelerators
        for place in places_of(run.slots):
            if self.holders.get(place) == name:
                del self.holders[place]


def _keep(known: dict[str, Mapping[str, Any]], one: Mapping[str, Any], kept: bool) -> None:
    if kept:
        known[one["id"]] = one
    else:
        known.pop(one["id"], None)


def moves_credit(picture: Picture, event: Event) -> bool:
    """Whether the event is of a kind that moves prepaid credit."""
    if event.kind is EventKind.JOB_PLACED:
        return not event.data["rehearsal"]
    if event.kind in (EventKind.JOB_ENDED, EventKind.HOURS_CLOSED):
        run = picture.runs.get(event.allocation or "")
        return run is not None and not run.rehearsal
    lent = event.kind is EventKind.LENT_SHARED and "available_micros" in event.data  # not of a rehearsal
    return lent or event.kind in (EventKind.CREDIT_ADDED, EventKind.CREDIT_MOVED)


def places_of(slots: list[tuple[str, list[int]]]) -> list[tuple[str, int]]:
    """Every accelerator by node and index."""
    return [(node, index) for node, indexes in slots for index in indexes]


def host_of(data: Mapping[str, Any]) -> Host:
    return Host(
        pool=data["pool"],
        type=data["type"],
        switch=data["switch"],
        accelerators=data["accelerators"],
        rehearsal=data["rehearsal"],
        state=data["state"],
    )
