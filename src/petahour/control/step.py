"""The control step: make what runs agree with what is stored, and what is stored with what is asked."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from petahour.control.await_jobs import cancel_hopeless
from petahour.control.close_hours import close_hours, due_for_closing
from petahour.control.commit import commit
from petahour.control.commitments import charge_reservations
from petahour.control.conduct import conduct_of
from petahour.control.context import Context
from petahour.control.corrections import expire_holds
from petahour.control.credit_watch import watch_credit
from petahour.control.dues import watch_dues
from petahour.control.engine_nodes import NodeAgreement
from petahour.control.funding import extend_or_stop
from petahour.control.hear import hear
from petahour.control.keep_windows import keep_windows
from petahour.control.launch import launch_of
from petahour.control.mend_seats import mend_seats
from petahour.control.passes import Passes
from petahour.control.publish import reload_books, take_in_books
from petahour.control.renewals import renew_reservations
from petahour.control.spot import post_prices, stop_above_limit
from petahour.engines.protocol import Phase, Report
from petahour.model.allocations import Allocation, AllocationState, EndKind
from petahour.model.errors import NotLeaderError, UnavailableError
from petahour.model.time import hour_floor

log = logging.getLogger("petahour.control")


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """What one step did: counts."""

    heard: int = 0
    closed: int = 0
    placed: int = 0
    stopping: int = 0
    waiting: int = 0


class Reconciler:
    """Runs steps. It guards what has been told to the engines, so that a step costs what changed.

    Losing that memory is harmless: start and stop are idempotent by allocation. ``acts`` is asked before anything is
    told to an engine: False once another replica may have begun to.
    """

    def __init__(self, context: Context, acts: Callable[[], bool] = lambda: True) -> None:
        self._context = context
        self._acts = acts
        self._started: set[str] = set()
        self._stopped: set[str] = set()
        self._nodes = NodeAgreement()
        self._conduct = conduct_of(context.live.policy, context.prices, context.settings)
        self._passes = Passes()
        self._loads = 0
        self._decide_again = True
        self._next_ms = 0
        self._edge_ms: int | None = None
        self._reconciled_ms: int | None = None
        self._watched_ms: int | None = None

    def reset(self) -> None:
        """After a failed transaction: believe only the store and the engines."""
        self._context.live.forget()
        self._decide_again = True
        self._reconciled_ms = None

    def step(self) -> Step:
        """Post, hear, refresh, reconcile, meter, decide, act. A failure leaves only whole transactions behind.

        Raises NotLeaderError where another replica leads, or may by now.
        """
        if not self._acts():
            raise NotLeaderError(
                field="lease",
                value=None,
                rule="the lease has run out and is not renewed yet",
                remedy="The control loop goes on as soon as it is.",
            )
        post_prices(self._context)
        heard = self._hear()
        self._refresh()
        self._agree_on_nodes()
        self._reconcile()
        closed = self._meter()
        stop_above_limit(self._context)
        self._watch()
        keep_windows(self._context)
        mend_seats(self._context)
        charge_reservations(self._context)
        self._refresh()
        while cancel_hopeless(self._context):
            # Who waited for one of these is hopeless in turn.
            self._refresh()
        placed = stopping = 0
        if self._decide_again or self._is_due():
            placed, stopping = self._decide()
            self._refresh()
        self._act()
        return Step(
            heard=heard, closed=closed, placed=placed, stopping=stopping, waiting=len(self._context.live.queued)
        )

    @property
    def undecided(self) -> bool:
        """Something changed since the last scheduling pass."""
        return self._decide_again

    # -- 1. hear: what the engines report ------------------------------------------------------------------

    def _hear(self) -> int:
        heard = 0
        for engine in self._context.engines.values():
            reports = list(engine.poll(full=self._reconciled_ms is None))
            self._record(reports)
            heard += len(reports)
            for report in reports:
                if report.phase is Phase.ENDED:
                    engine.forget(report.allocation)
                    self._started.discard(report.allocation)
                    self._stopped.discard(report.allocation)
        return heard

    def _record(self, reports: list[Report]) -> None:
        size = self._context.settings.reports_per_commit
        for first in range(0, len(reports), size):
            with self._context.store.write() as tx:
                for report in reports[first : first + size]:
                    hear(
                        tx,
                        report,
                        now_ms=self._context.clock.now_ms(),
                        settings=self._context.settings,
                        prices=self._context.prices,
                    )
        # A start heard of while the job is being stopped is no step of the job and has no event.
        known = self._context.live.allocations
        heard = [known[report.allocation] for report in reports if report.allocation in known]
        self._context.live.reread(
            self._context.store, [item for item in heard if item.state is AllocationState.STOPPING]
        )

    # -- 2. refresh: take in what was committed, here or elsewhere -------------------------------------------

    def _refresh(self) -> None:
        live = self._context.live
        if live.refresh(self._context.store, self._context.settings):
            self._decide_again = True
        take_in_books(self._context)

    def _agree_on_nodes(self) -> None:
        """Nodes that an engine found, lost, drained or has again."""
        wrote = [self._nodes.agree(self._context, engine) for engine in self._context.engines.values()]
        if any(wrote):
            self._refresh()

    # -- 3. reconcile: differences between engines and store, after a start and now and then -------------------

    def _reconcile(self) -> None:
        now_ms = self._context.clock.now_ms()
        if self._reconciled_ms is not None and now_ms - self._reconciled_ms < self._context.settings.reconcile_ms:
            return
        reload_books(self._context)
        by_engine: dict[str, set[str]] = defaultdict(set)
        for allocation in self._context.live.allocations.values():
            by_engine[allocation.engine].add(allocation.id)
        for name, engine in self._context.engines.items():
            known = engine.known()
            self._stop_orphans(name, known - by_engine[name])
            self._report_vanished(by_engine[name] - known, now_ms)
        if self._reconciled_ms is None:
            self._started.clear()
            self._stopped.clear()
        expire_holds(self._context.store, now_ms)
        self._reconciled_ms = now_ms

    def _stop_orphans(self, engine_name: str, strangers: Iterable[str]) -> None:
        strangers = set(strangers)
        if not strangers:
            return
        engine = self._context.engines[engine_name]
        with self._context.store.read() as tx:
            stored = {item.id: item for item in tx.allocations.many(strangers)}
        for stranger in strangers:
            if stranger not in stored:
                log.warning("stopping %s: the engine runs it, the store does not know it", stranger)
                engine.stop(stranger, signal="SIGTERM", grace_ms=0)
            elif stored[stranger].state is AllocationState.ENDED:
                engine.forget(stranger)

    def _report_vanished(self, missing: Iterable[str], now_ms: int) -> None:
        vanished = [
            Report(
                allocation=item,
                phase=Phase.ENDED,
                end_kind=EndKind.LOST,
                message="the engine no longer knows it",
            )
            for item in missing
            if self._context.live.allocations[item].started_ms is not None
        ]
        if vanished:
            self._record(vanished)
            self._refresh()

    # -- 4. meter: close the hours that are over ---------------------------------------------------------------

    def _meter(self) -> int:
        context = self._context
        until_ms = hour_floor(context.clock.now_ms() - context.settings.settle_ms)
        due = due_for_closing(context.live.allocations.values(), until_ms)
        size = context.settings.closings_per_commit
        for first in range(0, len(due), size):
            with context.store.write() as tx:
                close_hours(
                    tx,
                    [allocation.id for allocation in due[first : first + size]],
                    until_ms=until_ms,
                    now_ms=context.clock.now_ms(),
                    settings=context.settings,
                    prices=context.prices,
                )
        spent = self._extend()
        # Closing changes allocations and balances without an event of its own.
        context.live.reread(context.store, [*due, *spent])
        return len(due)

    def _extend(self) -> list[Allocation]:
        """Those whose credit covered less than an hour, and has been used up now."""
        context = self._context
        now_ms = context.clock.now_ms()
        spent = [
            allocation
            for allocation in context.live.allocations.values()
            if allocation.funded_until_ms is not None
            and allocation.funded_until_ms <= now_ms
            and allocation.state is AllocationState.RUNNING
        ]
        for allocation in spent:
            with context.store.write() as tx:
                extend_or_stop(tx, allocation.id, now_ms=now_ms, settings=context.settings, prices=context.prices)
        return spent

    # -- and now and then: look at credit ------------------------------------------------------------------------

    def _watch(self) -> None:
        now_ms, live = self._context.clock.now_ms(), self._context.live
        early = self._watched_ms is not None and now_ms - self._watched_ms < self._context.settings.watch_ms
        if early and not live.watch_now:
            return
        live.watch_now = False
        watch_credit(self._context)
        watch_dues(self._context)
        renew_reservations(self._context)
        self._watched_ms = now_ms

    # -- 5. decide: one pass of the scheduler, and its commit ------------------------------------------------

    def _is_due(self) -> bool:
        """Jobs wait, and with time alone claims have changed: who waits ages, who runs has had more, and what is
        promised begins or is over.
        """
        live, now_ms = self._context.live, self._context.clock.now_ms()
        due = now_ms >= self._next_ms or (self._edge_ms is not None and now_ms >= self._edge_ms)
        return (bool(live.queued) or live.state.turns is not None) and due

    def _decide(self) -> tuple[int, int]:
        context, live = self._context, self._context.live
        self._decide_again = False
        if live.loads != self._loads:
            self._loads = live.loads
            self._conduct = conduct_of(live.policy, context.prices, context.settings)
            self._passes.begin(live.loaded_seq, self._conduct)
        waited_for = live.follower.waited_for
        now_ms, seen = context.clock.now_ms(), live.seen
        self._next_ms = now_ms + context.settings.decide_ms
        self._edge_ms = live.state.promises.edge_after(now_ms) if live.state.promises.some else None
        plan = live.decide(now_ms, self._conduct)
        if not waited_for:
            return 0, 0
        if not plan.places and not plan.preempts:
            self._passes.idle(now_ms, seen)
            if self._passes.many:
                with context.store.write() as tx:
                    tx.events.append(self._passes.gathered(now_ms))
                self._passes.stored()
            return 0, 0
        done = commit(context, plan, seen=seen, note=self._passes.note(now_ms, seen))
        self._passes.stored()
        for reason in done.refused:
            log.info("a decision was stale: %s", reason)
        self._decide_again = bool(done.refused)
        return len(done.placed), len(done.stopping)

    # -- 6. act: carry out the intents that are stored -----------------------------------------------------------

    def _act(self) -> None:
        context = self._context
        for allocation in list(context.live.allocations.values()):
            engine = context.engines[allocation.engine]
            job = context.live.active.get(allocation.job)
            if job is None:
                continue
            if not self._acts():
                return
            try:
                if allocation.state is AllocationState.STARTING and allocation.id not in self._started:
                    engine.start(launch_of(job, allocation, context.live.nodes, context.catalog, context.settings))
                    self._started.add(allocation.id)
                elif allocation.state is AllocationState.STOPPING and allocation.id not in self._stopped:
                    engine.stop(allocation.id, signal=job.spec.preemption_signal, grace_ms=job.spec.grace_ms)
                    self._stopped.add(allocation.id)
            except (UnavailableError, OSError) as error:
                log.warning("%s: the engine cannot take it now (%s); trying again", allocation.id, error)
