"""What happens to promises in money's life: reservations are made, changed and charged; nodes are maintained."""

from __future__ import annotations

from contextlib import suppress

from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule
from tests.integration.control.house import OPERATOR
from tests.integration.control.looks import Looks

from petahour.control.commit import commit
from petahour.control.commitments import charge_reservations
from petahour.control.fleet import drain, resume
from petahour.control.keep_windows import keep_windows
from petahour.control.maintenance import cancel_maintenance, plan_maintenance
from petahour.control.mend_seats import mend_seats
from petahour.control.reservation_changes import end_reservation, extend, lend, upgrade
from petahour.control.reservations import Wish, confirm, reserve
from petahour.model.errors import ConflictError, FundsError
from petahour.model.jobs import Job, JobState, Tier
from petahour.model.promises import Reservation, ReservationState
from petahour.model.resources import Slot
from petahour.model.tenants import Caller, Role
from petahour.model.time import HOUR_MS, hour_floor
from petahour.scheduler.plan import Place, Plan
from petahour.store.protocol import Transaction

CPUS = 8
TENANTS = ("acme", "beta")
picks = st.integers(0, 10_000)


class PromiseLife(Looks):
    """The steps about promises, for a machine that can also submit a job and report its start."""

    count: int

    @rule(
        tenant=st.sampled_from(TENANTS),
        count=st.sampled_from([1, 2, 4, 8]),
        after_h=st.sampled_from([None, None, 0, 5]),
        hours=st.sampled_from([1, 3, 30]),
        price=st.sampled_from([None, "0.07", "5.00", "0"]),
        lends=st.booleans(),
        rehearsed=st.sampled_from([False, False, False, True]),
        share=st.sampled_from([None, "0.0001", "33.3333", "100"]),
    )
    def reserve(
        self,
        tenant: str,
        count: int,
        after_h: int | None,
        hours: int,
        price: str | None,
        lends: bool,
        rehearsed: bool,
        share: str | None = None,
    ) -> None:
        """Promised where that many are free to promise and the first hour is paid for; else nothing is changed."""
        next_ms = hour_floor(self._now()) + HOUR_MS
        from_ms = None if after_h is None else next_ms + after_h * HOUR_MS
        wish = Wish(
            tenant=tenant,
            type="a100-80g-sxm" if rehearsed else "cpu",
            count=count,
            from_ms=from_ms,
            to_ms=(next_ms if from_ms is None else from_ms) + hours * HOUR_MS,
            price=price,
            lends=lends,
            share=share if lends else None,
        )
        self._promised(lambda: reserve(self.house.context, OPERATOR, wish))

    @rule(tenant=st.sampled_from(TENANTS), count=st.sampled_from([1, 4]), hours=st.sampled_from([2, 9]))
    def ask_for(self, tenant: str, count: int, hours: int) -> None:
        """A tenant asks, which keeps nothing yet."""
        asking = Caller(key="key-t", user="ann", role=Role.TENANT_ADMIN, tenant=tenant)
        to_ms = hour_floor(self._now()) + hours * HOUR_MS
        wish = Wish(tenant=tenant, type="cpu", count=count, to_ms=to_ms)
        self._promised(lambda: reserve(self.house.context, asking, wish))

    @rule(pick=picks)
    def confirm(self, pick: int) -> None:
        found = self._reservations(ReservationState.REQUESTED)
        if found:
            one = found[pick % len(found)]
            self._promised(lambda: confirm(self.house.context, OPERATOR, one.id))

    @rule(pick=picks, hours=st.sampled_from([1, 7]))
    def extend(self, pick: int, hours: int) -> None:
        found = self._kept()
        if found:
            one = found[pick % len(found)]
            self._promised(lambda: extend(self.house.context, OPERATOR, one.id, to_ms=one.to_ms + hours * HOUR_MS))

    @rule(pick=picks, count=st.sampled_from([1, 2]))
    def upgrade(self, pick: int, count: int) -> None:
        found = self._kept()
        if found:
            one = found[pick % len(found)]
            self._promised(lambda: upgrade(self.house.context, OPERATOR, one.id, count=count, price=None))

    @rule(pick=picks, lends=st.booleans())
    def change_lending(self, pick: int, lends: bool) -> None:
        """Spot on its seats stops where they are lent no more; told twice it is told once."""
        found = self._kept()
        if found:
            one = found[pick % len(found)]
            for _ in range(2):
                self._promised(lambda: lend(self.house.context, OPERATOR, one.id, lends=lends))

    @rule(pick=picks)
    def earn_by_lending(self, pick: int) -> None:
        """A whole way at once: spot runs on seats that are lent, or beside them, and its time is billed."""
        price, share = ("0.07", "0")[pick % 2], ("33.3333", "100")[pick % 2]
        owner = TENANTS[pick % 3 % 2]
        self.reserve(
            tenant=owner, count=8, after_h=None, hours=3, price=price, lends=True, rehearsed=False, share=share
        )
        self.submit(tier=Tier.SPOT, rehearsed=False, keeps=True, limit=None)
        self.place(pick=pick)
        self.start(pick=pick, shift_ms=0)
        self.step(passed_ms=HOUR_MS, picked=pick)

    @rule(pick=picks)
    def end_reservation(self, pick: int) -> None:
        """Half of what it would still cost is owed, once, and nothing beyond its end."""
        found = self._reservations(ReservationState.CONFIRMED, ReservationState.REQUESTED)
        if not found:
            return
        one = found[pick % len(found)]
        ended, fee = end_reservation(self.house.context, OPERATOR, one.id)
        assert end_reservation(self.house.context, OPERATOR, one.id)[1] in (0, fee)
        fees = [each for each in self._transfers() if each.id == f"trf-early-end-{one.id}"]
        assert sum(each.amount_micros for each in fees) >= fee
        assert ended.to_ms <= one.to_ms

    @rule()
    def charge_reservations(self) -> None:
        """What the control loop does in every step; done again it changes nothing."""
        self._charge()
        before = self._money()
        self._charge()
        assert self._money() == before

    @rule(pick=picks)
    def run_reserved(self, pick: int) -> None:
        """A job on the seats of its tenant's reservation: what it uses there is paid for already."""
        now_ms = self._now()
        ours = [one for one in self._kept() if one.tenant == "acme" and one.in_force(now_ms) and one.type == "cpu"]
        if not ours:
            return
        one = ours[pick % len(ours)]
        self.submit(tier=Tier.RESERVED, rehearsed=False, keeps=False, limit=None)
        job, free = self._last_queued(), self._free_seats(one)
        if job is not None and free:
            slot = free[pick % len(free)]
            place = Place(job=job.id, type=one.type, slots=(slot,), borrowed=False, reservation=one.id)
            self._plan(Plan(places=(place,), preempts=(), holds=()))

    @rule(pick=picks, count=st.sampled_from([2, 4]), lends=st.booleans())
    def live_on_a_promise(self, pick: int, count: int, lends: bool) -> None:
        """Capacity is reserved and used in part for some hours."""
        price = ("0.07", None)[pick % 2]
        self.reserve(tenant="acme", count=count, after_h=None, hours=3, price=price, lends=lends, rehearsed=False)
        self.run_reserved(pick=pick)
        for _ in range(1 + pick % 3):
            self.step(passed_ms=HOUR_MS, picked=pick)

    @rule(node=st.sampled_from(["n1", "n2"]), after_h=st.sampled_from([0, 2]), empties=st.booleans())
    def plan_maintenance(self, node: str, after_h: int, empties: bool) -> None:
        """A window is planned, unless the node is promised to a tenant then."""
        from_ms = self._now() + after_h * HOUR_MS
        before = self._money()
        with suppress(ConflictError):
            plan_maintenance(
                self.house.context,
                OPERATOR,
                [node],
                from_ms=from_ms,
                to_ms=from_ms + 2 * HOUR_MS,
                reason="",
                empties=empties,
            )
        assert self._money() == before

    @rule(pick=picks)
    def call_off(self, pick: int) -> None:
        with self.house.context.store.read() as tx:
            windows = tx.promises.windows()
        if windows:
            cancel_maintenance(self.house.context, OPERATOR, windows[pick % len(windows)].id)

    @rule()
    def keep_windows(self) -> None:
        self._refresh()
        keep_windows(self.house.context)
        mend_seats(self.house.context)

    @rule(node=st.sampled_from(["n1", "n2"]), draining=st.booleans())
    def service(self, node: str, draining: bool) -> None:
        if draining:
            drain(self.house.context, OPERATOR, node, reason="fan")
        else:
            resume(self.house.context, OPERATOR, node)

    @invariant()
    def promised_once(self) -> None:
        """Counted instant by instant: what is promised of a type at once is no more than there is of it."""
        kept = [one for one in self._reservations(ReservationState.CONFIRMED) if one.type == "cpu"]
        for one in kept:
            at_once = [other for other in kept if other.from_ms <= one.from_ms < other.to_ms]
            assert sum(other.accelerators for other in at_once) <= CPUS
            seats = [(slot.node, index) for other in at_once for slot in other.seats for index in slot.indexes]
            assert len(seats) == len(set(seats))

    # -- what the steps are made of ------------------------------------------------------------------------------

    def _promised(self, ask: object) -> None:
        """What cannot be promised or paid for is refused, and then nothing has moved."""
        before = self._money()
        try:
            ask()  # type: ignore[operator]
        except (ConflictError, FundsError):
            assert self._money() == before

    def _charge(self) -> None:
        self._refresh()
        charge_reservations(self.house.context)

    def _plan(self, plan: Plan) -> None:
        self.house.context.live.forget()
        self._refresh()
        commit(self.house.context, plan)

    def _reservations(self, *states: ReservationState) -> list[Reservation]:
        with self.house.context.store.read() as tx:
            return [one for one in tx.promises.reservations() if one.state in states]

    def _kept(self) -> list[Reservation]:
        return [one for one in self._reservations(ReservationState.CONFIRMED) if one.kept(self._now())]

    def _promised_places(self, tx: Transaction, *, but: str = "", spot: bool = False) -> set[tuple[str, int]]:
        """The accelerators of all reservations ``but`` one that are not over, and of nodes to be maintained.

        To ``spot`` those that are lent are open.
        """
        kept = [one for one in tx.promises.reservations() if one.kept(self._now()) and one.id != but]
        kept = [one for one in kept if not (spot and one.lends)]
        seats = {(slot.node, index) for one in kept for slot in one.seats for index in slot.indexes}
        return seats | {(node, index) for one in tx.promises.windows() for node in one.nodes for index in range(8)}

    def _free_seats(self, one: Reservation) -> list[Slot]:
        with self.house.context.store.read() as tx:
            promised = self._promised_places(tx, but=one.id)
            return [
                Slot(node=slot.node, indexes=(index,))
                for slot in one.seats
                for index in slot.indexes
                if (slot.node, index) not in promised and index not in tx.allocations.held(slot.node)
            ]

    def _last_queued(self) -> Job | None:
        queued = [job for job in self._jobs() if job.state is JobState.QUEUED]
        return max(queued, key=lambda job: job.seq, default=None)
