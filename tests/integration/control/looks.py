"""What a test sees of a control plane's store."""

from __future__ import annotations

from tests.integration.control.house import House

from petahour.model.allocations import Allocation, AllocationState
from petahour.model.invoices import DocumentKind, InvoiceDocument, InvoiceState
from petahour.model.jobs import Job
from petahour.model.usage import Balance, Transfer
from petahour.store.protocol import InvoiceFilter


class Looks:
    """Reads of the present, each in a transaction of its own."""

    house: House

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
