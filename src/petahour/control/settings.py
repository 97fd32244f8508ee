"""Every limit of the control plane, in one place."""

from __future__ import annotations

from dataclasses import dataclass

from petahour.model.time import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """Limits and intervals; milliseconds and bytes.

    ``settle_ms``: how long after an hour's end its usage is closed, so that late reports still fall inside.
    ``watch_ms``: how often credit, budgets and dues are looked at. ``warn_hours``: how long before
    its credit ends a tenant is warned. A notice is tried ``notice_tries`` times, first after ``notice_retry_ms``.
    ``hold_interval_ms``: for how much running time a placement holds credit.
    ``lost_limit``: attempts lost by the operator's fault before a job is given up.
    ``decide_ms``: while jobs wait, a scheduling pass is made at least so often, as claims change with time alone.
    ``memory_events``: from how many of the last events a control plane that starts learns what it knew.
    ``quotes_compared``: of how many quotes, the newest, the outcome is looked at and learned from.
    ``quote_promise_ms``: for how much running time a quote's prices are promised to its job at most.
    ``unreserved_percent``: of a type's accelerators, how many are promised to nobody. ``early_end_percent``: of what
    a reservation would still have cost, the fee for ending it early.
    ``renew_notice_ms``: how long before its end the owner of a reservation that renews itself is told so;
    ``renew_before_ms``: how long before its end it is renewed.
    ``reports_per_commit``, ``closings_per_commit``: of how many engines' reports, and of how many running allocations
    whose hour is over, one transaction tells; other writers wait for it.
    ``loop_share``: the part of the time that the control loop may work while it is woken without end.
    """

    tick_ms: int = 500
    loop_share: float = 0.25
    watch_ms: int = MINUTE_MS
    warn_hours: tuple[int, ...] = (72, 24, 1)
    notice_tries: int = 20
    notice_retry_ms: int = 5 * SECOND_MS
    notice_retry_most_ms: int = HOUR_MS
    settle_ms: int = 30 * SECOND_MS
    hold_interval_ms: int = HOUR_MS
    min_run_ms: int = 0
    max_preemptions: int = 10
    preemptions_per_hour: float = 2.0
    lost_limit: int = 10
    quote_validity_ms: int = 7 * 24 * HOUR_MS
    quote_promise_ms: int = 366 * 24 * HOUR_MS
    quotes_compared: int = 500
    unreserved_percent: int = 10
    early_end_percent: int = 50
    renew_notice_ms: int = 7 * DAY_MS
    renew_before_ms: int = 3 * DAY_MS
    reconcile_ms: int = 30 * SECOND_MS
    decide_ms: int = 10 * SECOND_MS
    memory_events: int = 50_000
    placements_per_commit: int = 256
    reports_per_commit: int = 256
    closings_per_commit: int = 1_500
    events_per_read: int = 5_000
    queue_limit: int = 100_000
    tenant_queue_limit: int = 50_000
    listing_limit: int = 1_000
    command_arguments: int = 1_000
    command_bytes: int = 128 * 1024
    environment_variables: int = 1_000
    environment_bytes: int = 128 * 1024
    walltime_ms: int = 366 * 24 * HOUR_MS
    grace_ms: int = 60 * MINUTE_MS
    retries: int = 1_000
    dependencies: int = 1_000
    array_size: int = 5_000
    memory_bytes: int = 2**50
    log_bytes: int = 64 * 1024 * 1024
    log_read_bytes: int = 1024 * 1024
