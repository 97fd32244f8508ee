"""The pass: who starts where, who yields, and why the rest waits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property, partial

from petahour.model.collector import CollectorPaused
from petahour.model.promises import Maintenance
from petahour.model.promises import Reservation as Promised
from petahour.scheduler.ask import Ask, Grant, Shape, Waiting
from petahour.scheduler.decisions import BLOCKING, CLOSEST, NO_ROOM, TRIES, Decisions, Start, Stop, Why
from petahour.scheduler.front import Front
from petahour.scheduler.funds import beyond_limit
from petahour.scheduler.line import Rank
from petahour.scheduler.plan import HoldCode
from petahour.scheduler.quota import Share
from petahour.scheduler.reserve import Reservation, earliest, less
from petahour.scheduler.room import Pool
from petahour.scheduler.state import State
from petahour.scheduler.terms import Terms
from petahour.scheduler.turns import any_turns, turns_of
from petahour.scheduler.veil import Veil
from petahour.scheduler.victims import Freed, Victims

_BACKFILL_TRIES = 64  # of one shape in one pass, the most urgent ones, for what is kept for a blocked gang


def decide(state: State, now_ms: int) -> Decisions:
    """One pass. Deterministic, and the state is left as it was."""
    one = _Pass(state, now_ms)
    # A pass makes many small values that are gone at its end. They would have the collector look through all that
    # waits and runs for cycles, of which there are none, and that takes longer than the pass.
    with CollectorPaused():
        try:
            return one.run()
        finally:
            one.undo()


class _Pass:
    """What earlier decisions of a pass have used up.

    Nothing becomes free within a pass, so a job that asks for what was refused before is refused alike.
    """

    def __init__(self, state: State, now_ms: int) -> None:
        self._state, self._now_ms = state, now_ms
        self._policy = state.policy
        self._made = Decisions(at_ms=now_ms)
        self._taken: list[tuple[Pool, tuple[Grant, ...]]] = []
        self._terms = Terms(state)
        self._veil = Veil(state, now_ms) if state.promises.some else None
        self._reservation: Reservation | None = None
        self._turns = state.policy.rounds is not None and any_turns(state)
        self._may_yield = state.may_yield()
        self._some_yield = self._may_yield or bool(state.yielding)
        self._nobody_yields = False
        self._seated: set[str] = set()
        self._front: Front | None = None

    def run(self) -> Decisions:
        pools = self._state.room.pools
        self._made.free_before = tuple([pool.free for pool in pools])
        if self._policy.strict:
            self._in_turn()
        else:
            self._by_urgency()
        # Where firmer work stops some of those who take turns, the others are looked at when that has happened.
        if self._turns and not self._made.stops:
            self._take_turns()
        if self._veil is not None:
            self._veil.lift()
        self._made.free_after = tuple([pool.free for pool in pools])
        return self._made

    def undo(self) -> None:
        if self._veil is not None:
            self._veil.lift()
        for pool, grants in reversed(self._taken):
            pool.give(grants)
        if self._front is not None:
            self._front.close()

    # -- order ---------------------------------------------------------------------------------------------------

    def _in_turn(self) -> None:
        """Nobody overtakes: the first that does not fit ends the pass. Whoever has seats overtakes nobody."""
        if self._veil is not None:
            self._seat_all(self._veil)
        for line in self._state.lines.waiting():
            for job in line:
                if self._seated and job.id in self._seated:
                    continue
                why = self._decide(job)
                if why is not None:
                    self._made.whys[job.id] = why
                    if why.code in BLOCKING:
                        return

    def _seat_all(self, veil: Veil) -> None:
        """All reserved work that finds room on its tenant's seats, or has it made there."""
        for line in self._state.lines.waiting():
            for job in line:
                types = veil.seated(job)
                if not types:
                    continue
                why = self._seat(veil, job, types)
                if why is None or why.code is HoldCode.PREEMPTING:
                    self._seated.add(job.id)
                    if why is not None:
                        self._made.whys[job.id] = why

    def _by_urgency(self) -> None:
        """The most urgent head of a line first; a line whose head finds no room is done with."""
        state, whys = self._state, self._made.whys
        front, shapes = self._line_up()
        poor: dict[Ask, int] = {}
        tries: dict[Shape, int] = {}
        decided: set[str] = set()
        helped = state.yielding
        for number, job in front:
            ask = job.ask
            if ((ask in whys or ask.shape not in shapes) and job.id not in helped) or job.id in decided:
                continue
            if self._turns and job.id not in helped and state.takes_turns(job):
                continue
            why = self._decide(job)
            if why is not None and why.code is HoldCode.CAPACITY and self._nobody_yields:
                # Nor will any other of this shape find room, unless it is over before a reservation begins; when
                # that holds for all shapes, the pass is over.
                tries[ask.shape] = tries.get(ask.shape, 0) + 1
                if not self._made.reserved or tries[ask.shape] > _BACKFILL_TRIES:
                    shapes.discard(ask.shape)
                    front.forget(ask.shape)
                if not shapes and not helped:
                    break
            if helped:
                decided.add(job.id)
            if why is not None:
                if why.code is HoldCode.PREEMPTING:
                    whys[job.id] = why
                elif poor.setdefault(ask, 0) < TRIES.get(why.code, 0):
                    poor[ask] += 1
                    whys[job.id] = why
                else:
                    whys[ask] = why
                    front.refuse(ask)
                    continue
            front.follow(number)

    def _line_up(self) -> tuple[Front, set[Shape]]:
        """Where nobody can be made to yield, only lines whose gang finds room somewhere, or may reserve some."""
        policy, state, now_ms = self._policy, self._state, self._now_ms

        def urgency_of(job: Waiting) -> Rank:
            return policy.urgency(state, job, now_ms)

        front = self._front = Front(urgency_of)
        shapes = set()
        everyone = self._may_yield or (policy.backfill and not policy.patient)
        self._nobody_yields = not everyone
        old = self._oldest()
        if policy.keeps_ms:
            state.lines.renew(state.expectation.sweeps.changed(), urgency_of, now_ms, policy.keeps_ms)
        for shape, lines in state.lines.by_shape():
            if everyone or state.room.fits(next(iter(lines)).ask):
                shapes.add(shape)
                if policy.keeps_ms:
                    heads = state.lines.heads(shape)
                    heads.look(urgency_of, now_ms, policy.keeps_ms)
                    front.add_heads(shape, heads)
                else:
                    for line in lines:
                        front.add(line)
            elif old is not None and old.ask.shape == shape:
                its = state.lines.line_of(old.id)
                if its is not None:
                    shapes.add(shape)
                    front.add(its)
        # First of all those for whom others were stopped: what has become free so far is kept for them.
        for job_id in state.yielding:
            job = state.lines.job(job_id)
            if job is not None:
                front.add_first(job)
        return front, shapes

    def _oldest(self) -> Waiting | None:
        """The job that has waited longest, where accelerators are kept for it."""
        policy, state = self._policy, self._state
        if not policy.backfill or not policy.patient:
            return None
        oldest = state.lines.oldest()
        return oldest if oldest is not None and policy.reserves(state, oldest, self._now_ms) else None

    # -- turns ---------------------------------------------------------------------------------------------------

    def _take_turns(self) -> None:
        """Stop who has no turn, or has it elsewhere; start who has one, as far as there is room already."""
        state, made = self._state, self._made
        party, turns = turns_of(state, self._now_ms, self._terms, self._veil)
        ran = {}
        for job, running in zip(party.jobs, party.runs, strict=True):
            if running is not None:
                if turns.on.get(job.id) == running.type:
                    ran[job.id] = running.type
                else:
                    made.stops.append(Stop(running.id, job.id))
        for job, running in zip(party.jobs, party.runs, strict=True):
            type_name = turns.on.get(job.id)
            if running is None and type_name is not None:
                if self._veil is not None:
                    self._veil.over(job)
                why = self._place(job, type_name)
                if why is None:
                    ran[job.id] = type_name
                else:
                    made.whys[job.id] = why
        made.turns = replace(turns, seen_ms=self._now_ms, ran=ran)

    # -- one job -------------------------------------------------------------------------------------------------

    def _decide(self, job: Waiting) -> Why | None:
        """Start the job on the first acceptable type that takes it now, else free room for it, else say why not."""
        if self._veil is not None:
            types = self._veil.seated(job)
            if types:
                seated = self._seat(self._veil, job, types)
                if seated is None or seated.code is HoldCode.PREEMPTING:
                    return seated
            self._veil.over(job)
        refusals = []
        for type_name in self._policy.types(self._state, job):
            why = self._place(job, type_name)
            if why is None:
                return None
            refusals.append(why)
        closest = refusals[0] if len(refusals) == 1 else min(refusals, key=lambda why: CLOSEST.index(why.code))
        if closest.code in (HoldCode.QUOTA, HoldCode.PRICE) and self._veil is not None:
            own = self._veil.reservation(job)
            if own is not None:
                return Why(HoldCode.RESERVATION, own.type, promise=own.id)
        if closest.code in NO_ROOM or any(why.code in NO_ROOM for why in refusals):
            promise: Maintenance | Promised | None = None
            if self._some_yield and (freed := self._displace(job)) is not None:
                return freed
            if self._veil is not None:
                fits = partial(self._state.room.fits, job.ask)
                if (promise := self._veil.why(job, fits)) is not None:
                    return _kept_by(promise, closest.type)
                if self._some_yield:
                    could = partial(self._could_displace, job)
                    promise = self._veil.why(job, could)
                self._veil.over(job)
            if self._policy.backfill and self._reservation is None:
                self._reserve(job)
            if promise is not None:
                # Another of its ask may be over before the promise begins, and have room made.
                return _kept_by(promise, closest.type)
        return closest

    def _seat(self, veil: Veil, job: Waiting, types: list[str]) -> Why | None:
        """Start reserved work on the seats of its tenant's reservations, else free them for it, else say why not."""
        veil.seats(job)
        for type_name in types:
            for pool in self._state.room.by_type.get(type_name, ()):
                grants = pool.fit(job.ask.gang, job.ask.rest)
                if grants is not None:
                    pool.take(grants)
                    self._taken.append((pool, grants))
                    names = veil.names(job.ask.tenant, pool, grants)
                    self._made.starts.append(Start(job, type_name, pool.index, grants, False, names))
                    return None
        for type_name in types:
            for pool in self._state.room.by_type.get(type_name, ()):
                found = self._victims.of(job, pool, within_nominal=True, seated=True)
                if found is not None:
                    return self._free(job, pool, found)
        return Why(HoldCode.CAPACITY, types[0])

    def _place(self, job: Waiting, type_name: str) -> Why | None:
        """Start the job on the type, or say why not."""
        barred = self._terms.barred(job, type_name)
        if barred is not None:
            return barred
        ask = job.ask
        micros = self._terms.holds_micros(job, type_name) or 0
        short = 0
        for pool in self._state.room.by_type.get(type_name, ()):
            grants = pool.fit(ask.gang, ask.rest)
            if grants is None and self._reservation is not None:
                grants = self._before_reservation(job, pool)
            if grants is None:
                continue
            short = self._terms.short_micros(ask.tenant, micros, pool)
            if short == 0:
                borrowed = self._terms.share(ask, type_name) is Share.BORROWED
                pool.take(grants)
                self._taken.append((pool, grants))
                self._terms.take(ask, pool, micros)
                self._made.starts.append(Start(job, type_name, pool.index, grants, borrowed))
                return None
        if short:
            return Why(HoldCode.FUNDS, type_name, short, micros)
        return Why(HoldCode.CAPACITY, type_name)

    # -- room made by others -------------------------------------------------------------------------------------

    def _displace(self, job: Waiting) -> Why | None:
        """Free room for the job by stopping weaker claims, or claim what is being freed for it already."""
        for pool, within_nominal in self._to_free(job):
            found = self._victims.of(job, pool, within_nominal=within_nominal)
            self._made.least_claim = self._victims.least_claim
            if found is not None:
                return self._free(job, pool, found)
        return None

    def _could_displace(self, job: Waiting) -> bool:
        return any(
            self._victims.could(job, pool, within_nominal=within_nominal)
            for pool, within_nominal in self._to_free(job)
        )

    def _to_free(self, job: Waiting) -> Iterator[tuple[Pool, bool]]:
        """The pools where room may be made for the job, and whether it would lie within its nominal share there."""
        ask, money, terms = job.ask, self._state.money, self._terms
        for type_name in ask.types:
            share, micros = terms.share(ask, type_name), terms.holds_micros(job, type_name)
            dear = money is not None and beyond_limit(money, ask, type_name) is not None
            if share is Share.REFUSED or micros is None or dear:
                continue
            for pool in self._state.room.by_type.get(type_name, ()):
                # Nobody is stopped for a job that could not pay for the place.
                if not terms.short_micros(ask.tenant, micros, pool):
                    yield pool, share is Share.NOMINAL

    @cached_property
    def _victims(self) -> Victims:
        return Victims(self._state, self._now_ms, self._veil)

    def _free(self, job: Waiting, pool: Pool, freed: Freed) -> Why:
        """Stop these runs for the job, and keep what is free already."""
        self._made.stops += [Stop(running.id, job.id) for running in freed.stop]
        pool.take(freed.keep)
        self._taken.append((pool, freed.keep))
        return Why(HoldCode.PREEMPTING, pool.type)

    def _reserve(self, job: Waiting) -> None:
        """Keep for a blocked gang what it will need at the earliest instant it can start."""
        if not self._policy.reserves(self._state, job, self._now_ms):
            return
        held, veil = self._state.reserved, self._veil
        if held is not None and self._policy.predicts and held.job == job.id and self._now_ms < held.until_ms:
            found: Reservation | None = held.renewed(self._state)
        else:
            found = earliest(self._state, job, self._now_ms, self._made.starts, None if veil is None else veil.seen)
        if found is not None:
            pool = self._state.room.pools[found.pool]
            if veil is not None:
                found = found._replace(claimed=veil.seen(pool, found.claimed))
            pool.take(found.claimed)
            self._taken.append((pool, found.claimed))
        self._reservation = self._made.reserved = found

    def _before_reservation(self, job: Waiting, pool: Pool) -> tuple[Grant, ...] | None:
        """What is over before the reservation begins may use what it keeps; the rest of it stays kept."""
        held = self._reservation
        if held is None or held.pool != pool.index or not held.claimed:
            return None
        run_ms = self._state.expectation.run_ms(job, self._now_ms) if self._policy.predicts else job.walltime_ms
        if run_ms is None or self._now_ms + run_ms > held.begins_ms:
            return None
        pool.give(held.claimed)
        unseen: tuple[Grant, ...] = ()
        if self._veil is not None:
            unseen = less(held.claimed, self._veil.seen(pool, held.claimed))
            pool.take(unseen)
        grants = pool.fit(job.ask.gang, job.ask.rest)
        left = held if grants is None else held.without(grants)
        pool.give(unseen)
        pool.take(left.claimed)
        self._taken.remove((pool, held.claimed))
        self._taken.append((pool, left.claimed))
        self._reservation = left
        return grants


def _kept_by(promise: Maintenance | Promised, type_name: str) -> Why:
    """What keeps a job from the room there is, or that could be made, is promised."""
    code = HoldCode.MAINTENANCE if isinstance(promise, Maintenance) else HoldCode.RESERVATION
    return Why(code, type_name, promise=promise.id)
