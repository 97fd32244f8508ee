"""Credit: what each tenant can spend after every event, what is held for a run, and what its time costs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from petahour.control.audit.stream.picture import Fault, Picture, Run, moves_credit
from petahour.model.events import Event, EventKind

_CREDIT = "credit is what the events make of it"
_CHARGE = "time is charged at the price it was placed under"
_HELD = "credit is held for what runs alone"
_HOUR_MS = 3_600_000
_OF_RUNS = (EventKind.JOB_PLACED, EventKind.JOB_ENDED, EventKind.HOURS_CLOSED)


def credit_faults(picture: Picture, event: Event) -> Iterator[Fault]:
    data: Mapping[str, Any] = event.data
    tells = "available_micros" in data
    if not moves_credit(picture, event):
        if tells and event.kind in _OF_RUNS:
            yield _CREDIT, f"{event.allocation} is a rehearsal and moves credit"
        return
    if not tells:
        if picture.tells_credit:
            yield _CREDIT, f"event {event.seq} does not say what the credit of {event.tenant} came to"
        return
    before = picture.credit.get(event.tenant or "")
    if event.kind in (EventKind.CREDIT_ADDED, EventKind.LENT_SHARED):
        due = None if before is None else before + data["amount_micros"]
    elif event.kind is EventKind.CREDIT_MOVED:
        sign = -1 if data["what"] == "refund" else 1
        due = None if before is None else before + sign * data["amount_micros"]
    else:
        due = None if before is None else before - data["charged_micros"] - data["held_micros"]
    if due is not None and data["available_micros"] != due:
        yield _CREDIT, f"{event.tenant} has {data['available_micros']} micros, the events make it {due}"
    if event.kind is EventKind.JOB_PLACED:
        if data["available_micros"] < 0:
            yield _HELD, f"{event.allocation} is placed on credit that {event.tenant} has not"
        if data["held_micros"] < 0 or data["charged_micros"]:
            yield _HELD, f"{event.allocation} is placed and charged for at once"
    run = picture.runs.get(event.allocation or "")
    if run is not None and not run.apart:
        yield from _of_run(run, event, data)


def _of_run(run: Run, event: Event, data: Mapping[str, Any]) -> Iterator[Fault]:
    left = run.held_micros + data["held_micros"]
    if left < 0 or (left and event.kind is EventKind.JOB_ENDED):
        yield _HELD, f"{left} micros are held for {event.allocation} after event {event.seq}"
    started_ms = run.started_ms
    if event.kind is EventKind.JOB_ENDED:
        until_ms, started_ms = event.at_ms, data.get("started_ms")
        if data["end_kind"] == "lost":
            started_ms = until_ms  # The operator's loss; what was charged before stays so.
    else:
        until_ms = data["until_ms"]
        if started_ms is None:
            return  # It was asked to stop before its start was heard of, which only its end tells.
    if run.price_varies:
        return  # What each hour costs is the price books' to say; the proof of the ledger looks it up there.
    due = 0 if started_ms is None else _price(run, max(started_ms, run.metered_ms), until_ms)
    if data["charged_micros"] != due:
        yield _CHARGE, f"{event.allocation} is charged {data['charged_micros']} micros, its time comes to {due}"


def _price(run: Run, from_ms: int, until_ms: int) -> int:
    """Hour by hour, each rounded once, half to even; from when it was asked to yield on nothing is charged."""
    if run.yielded_ms is not None:
        until_ms = min(until_ms, run.yielded_ms)
    total = 0
    while from_ms < until_ms:
        end_ms = min(until_ms, from_ms - from_ms % _HOUR_MS + _HOUR_MS)
        exact = Decimal((end_ms - from_ms) * run.accelerators) * run.price_micros / _HOUR_MS
        total += int(exact.to_integral_value(rounding=ROUND_HALF_EVEN))
        from_ms = end_ms
    return total
