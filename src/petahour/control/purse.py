"""Purses: what tenants may spend, counted along while many of their allocations are billed and funded."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from petahour.control.credit_accounts import funds, funds_accounts
from petahour.model.allocations import Allocation
from petahour.model.usage import Transfer
from petahour.store.protocol import Transaction


@dataclass(slots=True)
class Purse:
    """``available_micros`` as ``funds`` would find it after each movement that it is told of.

    A movement on an account that is none of these is nothing to it.
    """

    accounts: frozenset[str]
    available_micros: int

    def take(self, transfer: Transfer) -> int:
        """A charge or a new hold; what it takes, in micro-units."""
        micros = transfer.amount_micros if transfer.debit in self.accounts else 0
        self.available_micros -= micros
        return micros

    def give(self, held: Transfer) -> int:
        """A hold that is free again; what it gives back."""
        micros = held.amount_micros if held.debit in self.accounts else 0
        self.available_micros += micros
        return micros


class Purses:
    """The purses of these allocations' tenants, as they are when it is made."""

    def __init__(self, tx: Transaction, allocations: Iterable[Allocation]) -> None:
        self._purses = {
            owner: Purse(funds_accounts(tx, *owner), funds(tx, *owner).available_micros)
            for owner in {(item.tenant, item.currency) for item in allocations}
        }

    def of(self, allocation: Allocation) -> Purse:
        """The purse of the allocation's tenant."""
        return self._purses[allocation.tenant, allocation.currency]
