"""What happens to work in money's life: it is submitted, placed, runs, is preempted, ends, and its hours close."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import rule
from tests.integration.control.house import OPERATOR, SETTINGS
from tests.integration.control.looks import Looks

from petahour.control.cancel import cancel
from petahour.control.close_hours import close_hours, due_for_closing
from petahour.control.commit import commit
from petahour.control.conduct import conduct_of
from petahour.control.spot import stop_above_limit
from petahour.engines.protocol import Phase
from petahour.model.allocations import Allocation, AllocationState, EndKind
from petahour.model.jobs import Job, JobState, Tier
from petahour.model.resources import Slot
from petahour.model.time import HOUR_MS, MINUTE_MS, hour_floor
from petahour.scheduler.plan import Place, Plan, Preempt

CENTURY_MS = 100 * 366 * 24 * HOUR_MS
picks = st.integers(0, 10_000)


class WorkLife(Looks):
    """The steps of scheduler and engine, which the test plays; ``step`` is the whole round of the control loop."""

    wall_ms: int
    count: int

    @rule(
        tier=st.sampled_from([Tier.ON_DEMAND, Tier.SPOT]),
        rehearsed=st.booleans(),
        keeps=st.booleans(),
        limit=st.sampled_from([None, None, 90_000, 150_000]),
    )
    def submit(self, tier: Tier, rehearsed: bool, keeps: bool, limit: int | None) -> None:
        self.count += 1
        types = ("a100-80g-sxm",) if rehearsed else ("cpu",)
        terms = {"checkpoint_dir": "/saved" if keeps else None, "limit_micros": limit if tier is Tier.SPOT else None}
        self.house.submit(f"j{self.count}", types=types, tier=tier, **terms)

    @rule(pick=picks)
    def cancel(self, pick: int) -> None:
        jobs = [job for job in self._jobs() if not job.state.final]
        if jobs:
            cancel(self.house.context, OPERATOR, jobs[pick % len(jobs)].id)

    @rule(pick=picks, tier=st.sampled_from([Tier.ON_DEMAND, Tier.SPOT]))
    def run_one(self, pick: int, tier: Tier) -> None:
        """A whole way at once, as few lives would come to it step by step."""
        self.submit(tier=tier, rehearsed=False, keeps=bool(pick % 2), limit=None)
        self.place(pick=pick)
        self.start(pick=pick, shift_ms=0)

    @rule(pick=picks)
    def place(self, pick: int) -> None:
        queued = self._waiting()
        if not queued:
            return
        job = queued[pick % len(queued)]
        slot = self._free(job, pick)
        if slot is not None:
            self._committed(places=(Place(job=job.id, type=job.spec.types[0], slots=(slot,), borrowed=True),))

    @rule()
    def schedule(self) -> None:
        """A pass of the real scheduler; it places nobody who is barred."""
        context = self.house.context
        self._refresh()
        plan = context.live.decide(self._now(), conduct_of(context.live.policy, context.prices, SETTINGS))
        jobs, bars = {job.id: job for job in self._jobs()}, context.live.follower.bars
        for place in plan.places:
            job = jobs[place.job]
            rehearsed = place.type != "cpu"
            assert rehearsed or bars.hold(job.id, tenant=job.tenant, project=job.project) is None
        commit(context, plan)

    @rule(pick=picks, shift_ms=st.sampled_from([0, 0, -5_000, 999_999, -CENTURY_MS]))
    def start(self, pick: int, shift_ms: int) -> None:
        """The first rank runs; the engine's clock may say anything."""
        self._report(self._active(AllocationState.STARTING), pick, Phase.RUNNING, shift_ms)

    @rule(
        pick=picks, kind=st.sampled_from(list(EndKind)), shift_ms=st.sampled_from([0, 0, -90_000, 5_000, CENTURY_MS])
    )
    def end(self, pick: int, kind: EndKind, shift_ms: int) -> None:
        self._report(self._active(), pick, Phase.ENDED, shift_ms, kind)

    @rule(pick=picks, phase=st.sampled_from(list(Phase)), kind=st.sampled_from(list(EndKind)))
    def say_again(self, pick: int, phase: Phase, kind: EndKind) -> None:
        """A late, repeated or contradicting report of what is over."""
        before = self._money()
        self._report(self._ended(), pick, phase, -pick, kind)
        assert self._money() == before

    @rule(pick=picks)
    def preempt(self, pick: int) -> None:
        """Who may be stopped for whom is the scheduler's rule: spot for spot keeps checkpoints, and not too often."""
        jobs = {job.id: job for job in self._jobs()}
        queued = self._waiting()
        active = self._active(AllocationState.STARTING, AllocationState.RUNNING)
        running = [one for one in active if not one.reservation]
        pairs = [
            (victim, job)
            for victim in running
            for job in queued
            if jobs[victim.job].preemptions < SETTINGS.max_preemptions
            and (
                job.spec.tier is not Tier.SPOT
                or (victim.tier is Tier.SPOT and jobs[victim.job].spec.checkpoint_dir is not None)
            )
        ]
        if pairs:
            victim, job = pairs[pick % len(pairs)]
            self._committed(preempts=(Preempt(allocation=victim.id, for_job=job.id),))

    @rule()
    def close_hours(self) -> None:
        """What the control loop does when an hour is over."""
        before = self._now()
        for _ in range(2):
            self._close_hours(hour_floor(before - SETTINGS.settle_ms))

    @rule(passed_ms=st.sampled_from([0, 40 * MINUTE_MS, HOUR_MS, 3 * HOUR_MS]), picked=picks)
    def step(self, passed_ms: int, picked: int) -> None:
        """Time passes and the control loop looks at everything; what it stops and starts does so, or most of it."""
        self.wall_ms += passed_ms
        self.post_prices()
        self.close_hours()
        self._refresh()
        stop_above_limit(self.house.context)
        self.look_at_credit()
        self.keep_windows()
        self.charge_reservations()
        self.schedule()
        for number, one in enumerate(self._active()):
            if (picked >> number) % 4:
                stopping = one.state is AllocationState.STOPPING
                phase, kind = (Phase.ENDED, EndKind.STOPPED) if stopping else (Phase.RUNNING, None)
                self._report([one], 0, phase, 0, kind)

    def finish_work(self) -> None:
        for one in self._active():
            self._report([one], 0, Phase.ENDED, 0, EndKind.SUCCEEDED)

    # -- what the steps are made of ------------------------------------------------------------------------------

    def _committed(self, *, places: tuple[Place, ...] = (), preempts: tuple[Preempt, ...] = ()) -> None:
        context = self.house.context
        context.live.forget()
        context.live.refresh(context.store, SETTINGS)
        commit(context, Plan(places=places, preempts=preempts, holds=()))

    def _close_hours(self, until_ms: int) -> None:
        with self.house.context.store.write() as tx:
            due = [allocation.id for allocation in due_for_closing(tx.allocations.active(), until_ms)]
            close_hours(
                tx,
                due,
                until_ms=until_ms,
                now_ms=self._now(),
                settings=SETTINGS,
                prices=self.house.context.prices,
            )

    def _report(
        self, found: list[Allocation], pick: int, phase: Phase, shift_ms: int, kind: EndKind | None = None
    ) -> None:
        if not found:
            return
        allocation, now_ms = found[pick % len(found)], self._now()
        self.house.clock.at_ms = now_ms
        started_ms = allocation.started_ms if phase is Phase.ENDED else now_ms + shift_ms
        ended = {"ended_ms": now_ms + shift_ms, "end_kind": kind, "exit_code": 0} if phase is Phase.ENDED else {}
        self.house.report(allocation.id, phase, started_ms=started_ms, **ended)

    def _waiting(self) -> list[Job]:
        """Those that may lie on any free accelerator: reserved work lies on its reservation's seats."""
        return [one for one in self._jobs() if one.state is JobState.QUEUED and one.spec.tier is not Tier.RESERVED]

    def _free(self, job: Job, pick: int) -> Slot | None:
        nodes = {"cpu": ("n1", "n2"), "a100-80g-sxm": ("r1",)}[job.spec.types[0]]
        with self.house.context.store.read() as tx:
            promised = self._promised_places(tx, spot=job.spec.tier is Tier.SPOT)
            free = [
                (node, index)
                for node in nodes
                for index in range(4)
                if index not in tx.allocations.held(node) and (node, index) not in promised
            ]
        if not free:
            return None
        node, index = free[pick % len(free)]
        return Slot(node=node, indexes=(index,))
