"""What a test sees of a control plane's store."""

from __future__ import annotations

from tests.integration.control.house import SETTINGS, House

from petahour.model.allocations import Allocation, AllocationState
from petahour.model.invoices import DocumentKind, InvoiceDocument, InvoiceState
from petahour.model.jobs import Job, Tier
from petahour.model.usage import Balance, Transfer
from petahour.store.protocol import InvoiceFilter, Transaction


class Looks:
    """Reads of the present, each in a transaction of its own, and what the parts of a life know of one another."""

    house: House

    def _refresh(self) -> None:
        self.house.context.live.refresh(self.house.context.store, SETTINGS)

    def _now(self) -> int:
        return self.house.context.clock.now_ms()

    def _jobs(self) -> list[Job]:
        with self.house.context.store.read() as tx:
            return list(tx.jobs.unfinished())

    def _active(self, *states: AllocationState) -> list[Allocation]:
        with self.house.context.store.read() as tx:
            return [one for one in tx.allocations.active() if not states or one.state in states]

    def _ended(self) -> list[Allocation]:
        with self.house.context.store.read() as tx:
            return [one for one in tx.allocations.every() if one.state is AllocationState.ENDED]

    def _transfers(self) -> list[Transfer]:
        with self.house.context.store.read() as tx:
            return list(tx.ledger.transfers())

    def _invoices(self, *states: InvoiceState) -> list[InvoiceDocument]:
        with self.house.context.store.read() as tx:
            found = tx.invoices.find(InvoiceFilter(states=states))
        return [one for one in found if one.kind is DocumentKind.INVOICE]

    def _balances(self) -> list[Balance]:
        with self.house.context.store.read() as tx:
            return list(tx.ledger.balances())

    def _money(self) -> tuple[str, int]:
        with self.house.context.store.read() as tx:
            return tx.ledger.head(), tx.ledger.counts().usage_records

    # -- steps of one part of a life that others are made of, which that part defines -------------------------

    def _charge(self) -> None:
        raise NotImplementedError

    def _close_hours(self, until_ms: int) -> None:
        raise NotImplementedError

    def _promised_places(self, tx: Transaction, *, but: str = "") -> set[tuple[str, int]]:
        raise NotImplementedError

    def charge_reservations(self) -> None:
        raise NotImplementedError

    def finish_work(self) -> None:
        raise NotImplementedError

    def keep_windows(self) -> None:
        raise NotImplementedError

    def let_a_month_end(self, pick: int) -> None:
        raise NotImplementedError

    def look_at_credit(self) -> None:
        raise NotImplementedError

    def pay(self, pick: int) -> None:
        raise NotImplementedError

    def post_prices(self) -> None:
        raise NotImplementedError

    def run_one(self, pick: int, tier: Tier) -> None:
        raise NotImplementedError

    def step(self, passed_ms: int, picked: int) -> None:
        raise NotImplementedError

    def submit(self, tier: Tier, rehearsed: bool, keeps: bool, limit: int | None) -> None:
        raise NotImplementedError
