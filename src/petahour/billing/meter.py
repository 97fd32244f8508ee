"""Metering: what an allocation held, as usage records cut at UTC hours."""

from __future__ import annotations

from petahour.model.allocations import Allocation, EndKind
from petahour.model.errors import InvariantError
from petahour.model.time import split_hours
from petahour.model.usage import UsageRecord, WaiveReason


def meter(allocation: Allocation, *, until_ms: int) -> tuple[UsageRecord, ...]:
    """Usage records from where metering stopped to ``until_ms``, or to the end if that came first.

    The records are contiguous, none is empty, and none crosses a UTC hour, the first rank's start or the
    operator's request to yield. The policy, case by case (``docs/concepts/metering.md``):

    - before ``started_ms`` (all of it when the allocation ended without starting): waived, provisioning;
    - from ``started_ms`` on: billed;
    - from the operator's request to yield on: waived, preemption;
    - from ``started_ms`` on when the allocation was lost: waived, lost. Hours that were metered before the
      loss was known stay billed.

    An allocation that has neither started nor ended is not metered, as nobody can know yet what it will be.
    The caller must have evidence of life up to ``until_ms``: an end that turns out to lie before
    ``metered_ms`` takes nothing back here, and the conservation check reports it.

    Raises InvariantError on times that cannot be (started before placed, ended before started).
    """
    _check_times(allocation)
    if allocation.started_ms is None and allocation.ended_ms is None:
        return ()
    start_ms = allocation.placed_ms if allocation.metered_ms is None else allocation.metered_ms
    end_ms = until_ms if allocation.ended_ms is None else min(until_ms, allocation.ended_ms)
    accelerators = allocation.accelerators
    return tuple(
        [
            _record(allocation, accelerators, hour_ms, piece_start, piece_end, reason)
            for span_start, span_end, reason in _spans(allocation, start_ms, end_ms)
            if span_start < span_end
            for hour_ms, piece_start, piece_end in split_hours(span_start, span_end)
        ]
    )


def _spans(allocation: Allocation, start_ms: int, end_ms: int) -> tuple[tuple[int, int, WaiveReason | None], ...]:
    """The interval parted where its reason to be waived changes, each part with that reason, if there is one."""
    begin_ms = end_ms if allocation.started_ms is None else max(start_ms, min(allocation.started_ms, end_ms))
    preempted_ms = allocation.preempted_ms
    yield_ms = end_ms if preempted_ms is None else max(begin_ms, min(preempted_ms, end_ms))
    lost = WaiveReason.LOST if allocation.end_kind is EndKind.LOST else None
    return (
        (start_ms, begin_ms, WaiveReason.PROVISIONING),
        (begin_ms, yield_ms, lost),
        (yield_ms, end_ms, lost or WaiveReason.PREEMPTION),
    )


def _record(
    allocation: Allocation, accelerators: int, hour_ms: int, start_ms: int, end_ms: int, reason: WaiveReason | None
) -> UsageRecord:
    held_ams = (end_ms - start_ms) * accelerators
    return UsageRecord(
        id=f"use-{allocation.id}-{start_ms}",
        allocation=allocation.id,
        job=allocation.job,
        tenant=allocation.tenant,
        project=allocation.project,
        type=allocation.type,
        tier=allocation.tier,
        rehearsal=allocation.rehearsal,
        hour_ms=hour_ms,
        start_ms=start_ms,
        end_ms=end_ms,
        accelerators=accelerators,
        billed_ams=held_ams if reason is None else 0,
        waived_ams=0 if reason is None else held_ams,
        waive_reason=reason,
    )


def _check_times(allocation: Allocation) -> None:
    placed_ms, started_ms, ended_ms = allocation.placed_ms, allocation.started_ms, allocation.ended_ms
    metered_ms = allocation.metered_ms
    if started_ms is not None and started_ms < placed_ms:
        rule = "an allocation starts no earlier than it is placed"
    elif ended_ms is not None and ended_ms < (placed_ms if started_ms is None else started_ms):
        rule = "an allocation ends no earlier than it is placed and started"
    elif metered_ms is not None and metered_ms < placed_ms:
        rule = "an allocation is metered from its placement on"
    else:
        return
    raise InvariantError(rule=rule, value=(allocation.id, placed_ms, started_ms, ended_ms, metered_ms))
