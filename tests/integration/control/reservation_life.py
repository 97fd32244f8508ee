"""What happens to reservations in money's life: they are made, lent, taken back, ended early and charged hourly."""

from __future__ import annotations

from contextlib import suppress

from hypothesis import strategies as st
from hypothesis.stateful import rule
from tests.integration.control.house import OPERATOR, SETTINGS
from tests.integration.control.looks import Looks

from petahour.control.commitments import charge_reservations
from petahour.control.reservation_changes import end_reservation, extend, lend
from petahour.control.reservations import Wish, reserve
from petahour.model.errors import ConflictError, FundsError
from petahour.model.jobs import Job, Tier
from petahour.model.promises import Reservation
from petahour.model.time import HOUR_MS, hour_floor

picks = st.integers(0, 10_000)


class ReservationLife(Looks):
    """The steps about reservations. The machine itself places work, on seats that it may use and beside them.

    ``acme`` pays for its own; ``lender`` has no credit, pays nothing and earns by lending alone.
    """

    wall_ms: int

    def run_one(self, pick: int, tier: Tier) -> None:
        raise NotImplementedError

    def close_hours(self) -> None:
        raise NotImplementedError

    @rule(pick=picks, owner=st.sampled_from(["acme", "lender"]), share=st.sampled_from(["0.0001", "33.3333", "100"]))
    def reserve(self, pick: int, owner: str, share: str) -> None:
        """Cores until one of the next hours; there may be too few, or too little credit."""
        to_ms = hour_floor(self._now()) + (1 + pick % 6) * HOUR_MS
        wish = Wish(
            tenant=owner,
            type="cpu",
            count=1 + pick % 3,
            to_ms=to_ms,
            price="0.31" if owner == "acme" else "0",
            lends=bool(pick % 4),
            share=share,
        )
        with suppress(ConflictError, FundsError):
            reserve(self.house.context, OPERATOR, wish)

    @rule(pick=picks, what=st.sampled_from(["lend", "keep", "end", "extend"]))
    def change_reservation(self, pick: int, what: str) -> None:
        found = self._reservations()
        if not found:
            return
        one, context = found[pick % len(found)], self.house.context
        with suppress(ConflictError):  # It is over, or its seats are promised to others by then.
            for _ in range(2):
                if what == "end":
                    end_reservation(context, OPERATOR, one.id)
                elif what == "extend":
                    extend(context, OPERATOR, one.id, to_ms=hour_floor(max(one.to_ms, self._now())) + 2 * HOUR_MS)
                    return
                else:
                    lend(context, OPERATOR, one.id, lends=what == "lend")

    @rule()
    def charge(self) -> None:
        """What the control loop does in every step."""
        context = self.house.context
        context.live.forget()
        for _ in range(2):
            context.live.refresh(context.store, SETTINGS)
            charge_reservations(context)

    @rule(pick=picks)
    def lend_and_use(self, pick: int) -> None:
        """A whole way at once: spot runs on seats that are lent, or beside them, and its time is billed."""
        self.reserve(pick=pick | 1, owner=("acme", "lender")[pick % 2], share="33.3333")
        for _ in range(1 + pick % 3):
            self.run_one(pick=pick, tier=Tier.SPOT)
        self.wall_ms += HOUR_MS
        self.close_hours()

    def _kept_from(self, job: Job) -> set[tuple[str, int]]:
        """What is promised to others while the job may run: spot makes way, where it is let in at all."""
        now_ms, spot = self._now(), job.spec.tier is Tier.SPOT
        return {
            (slot.node, index)
            for one in self._reservations()
            if one.kept(now_ms) and not (spot and (one.lends or now_ms < one.from_ms))
            for slot in one.seats
            for index in slot.indexes
        }

    def _reservations(self) -> list[Reservation]:
        with self.house.context.store.read() as tx:
            return list(tx.promises.reservations())
