"""What happens to invoices in money's life: months end and are closed, paid, voided and credited."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import rule
from tests.integration.control.house import BEGIN_MS, OPERATOR, SETTINGS
from tests.integration.control.looks import Looks

from petahour.control.invoices import credit_invoice, pay_invoice, void_invoice
from petahour.control.month_close import close_month
from petahour.model.errors import ConflictError, ValidationError
from petahour.model.invoices import InvoiceState
from petahour.model.jobs import Tier
from petahour.model.time import DAY_MS, MINUTE_MS, hour_floor, month_bounds, month_of

picks = st.integers(0, 10_000)


class InvoiceLife(Looks):
    """The steps about invoices, for a machine that can also run a job, close its hours and tell its money."""

    wall_ms: int
    bought_micros: int

    @rule()
    def close_month(self) -> None:
        """Every month that is over, the first one first; once more, it is the same close."""
        now_ms, month = self._now(), month_of(BEGIN_MS)
        self._close_hours(hour_floor(now_ms - SETTINGS.settle_ms))
        self._charge()
        while (to_ms := month_bounds(month)[1]) + SETTINGS.settle_ms <= now_ms:
            made = [close_month(self.house.context, OPERATOR, month) for _ in range(2)]
            first, again = ([one.document and one.document.id for one in closes] for closes in made)
            assert first == again
            month = month_of(to_ms)

    @rule(pick=picks)
    def let_a_month_end(self, pick: int) -> None:
        """Somebody works, the month ends, and it is closed; of this tenant's lives most end too early for it."""
        self.run_one(pick=pick, tier=Tier.ON_DEMAND)
        self.wall_ms += 20 * MINUTE_MS
        if pick % 2:
            if month_bounds(month_of(self.wall_ms))[1] - self.wall_ms > DAY_MS:
                self.finish_work()
            self.wall_ms = max(self.wall_ms, month_bounds(month_of(self.wall_ms))[1] + SETTINGS.settle_ms)
        self.close_month()

    @rule(pick=picks)
    def pay(self, pick: int) -> None:
        """One key is one payment."""
        due = [one for one in self._invoices(InvoiceState.ISSUED) if one.due_micros > 0]
        if due:
            found = due[pick % len(due)]
            key = f"bank-{found.number}-{len(self._transfers())}"
            pay_invoice(self.house.context, OPERATOR, found.number, amount=None, key=key)
            self.bought_micros += found.due_micros
            pay_invoice(self.house.context, OPERATOR, found.number, amount=None, key=key)

    @rule(pick=picks, what=st.sampled_from(["void", "credit"]))
    def correct(self, pick: int, what: str) -> None:
        """An invoice is taken back, or a cent of its first line; what may not be is refused and changes nothing."""
        found = self._invoices(InvoiceState.ISSUED, InvoiceState.PAID)
        if not found:
            return
        context, number, before = self.house.context, found[pick % len(found)].number, self._money()
        try:
            if what == "void":
                void_invoice(context, OPERATOR, number, reason="wrong")
            else:
                key = f"note-{pick % 3}"
                credit_invoice(context, OPERATOR, number, line=1, amount="0.01", reason="slow", key=key)
        except (ConflictError, ValidationError):
            assert self._money() == before
