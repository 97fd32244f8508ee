"""Paid credit: which part of a tenant's credit it paid for. Granted credit is used first, and is never cash."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from petahour.model.usage import TransferKind

_GIVEN = (TransferKind.GRANT, TransferKind.SERVICE_CREDIT, TransferKind.LENT_SHARE)
_MOVES_NOTHING = (TransferKind.PENDING, TransferKind.VOID, TransferKind.EXPIRE)


class CreditMove(NamedTuple):
    """A transfer as the tenant sees it: ``gain_micros`` into its credit, or of a payment into what it owes.

    ``taken``: the kind of what a reversal takes back. ``of_note``: it is a part of a credit note.
    """

    kind: TransferKind
    gain_micros: int
    taken: TransferKind | None = None
    of_note: bool = False


@dataclass(kw_only=True, slots=True)
class PaidCredit:
    """A tenant's credit in micro-units: what of it was granted, what was paid for, and what was used of each.

    ``owed_micros`` is what was used beyond all credit; ``settled_micros`` what was paid for invoices and has not come
    back, below zero where a payment bounced whose money had been paid back. Granted is whatever no payment brought:
    grants, service credits, shares of what lent seats earned. It guards that ``left_micros`` is the account's
    balance, and that nothing is paid for which no cash brought in.
    """

    granted_micros: int = 0
    paid_micros: int = 0
    owed_micros: int = 0
    granted_used_micros: int = 0
    paid_used_micros: int = 0
    settled_micros: int = 0

    @classmethod
    def of(cls, moves: Iterable[CreditMove]) -> PaidCredit:
        """The parts after these moves, in the order they were committed."""
        found = cls()
        for move in moves:
            found.take(move)
        return found

    @property
    def left_micros(self) -> int:
        return self.granted_micros + self.paid_micros - self.owed_micros

    @property
    def brought_micros(self) -> int:
        """What top-ups brought that was not paid back: as much of them can be taken back."""
        return self.paid_micros + self.paid_used_micros

    def refundable_micros(self, held_micros: int) -> int:
        """What may be paid back: paid for, not used, and not held, as granted credit is held first too."""
        gone = min(0, self.settled_micros)
        return max(0, min(self.paid_micros + gone, self.left_micros - held_micros))

    def take(self, move: CreditMove) -> None:
        """The next move has happened, whether it may or not."""
        kind, gain = move.taken or move.kind, move.gain_micros
        if kind in _MOVES_NOTHING:
            return
        if kind is TransferKind.PAYMENT:
            if gain < 0:
                self._bounce(-gain)
            self.settled_micros += max(0, gain)
        elif kind in (TransferKind.TOPUP, TransferKind.REFUND):
            self._pay(gain) if gain > 0 else self._unpay(-gain)
        elif kind in _GIVEN and not move.of_note:
            self._give(gain) if gain > 0 else self._ungive(-gain)
        elif gain > 0:
            self._give_back(gain)
        elif move.taken is None:
            self._use(-gain)
        else:
            self._take_again(-gain)

    def _use(self, micros: int) -> None:
        """Granted credit first; what exceeds all credit is owed."""
        granted = min(self.granted_micros, micros)
        paid = min(self.paid_micros, micros - granted)
        self._move_used(granted, paid)
        self.owed_micros += micros - granted - paid

    def _take_again(self, micros: int) -> None:
        """What had been given back is not so after all: from paid credit first, where it may have gone."""
        paid = min(self.paid_micros, micros)
        granted = min(self.granted_micros, micros - paid)
        self._move_used(granted, paid)
        self.owed_micros += micros - granted - paid

    def _give_back(self, micros: int) -> None:
        """Use comes back: first what was never paid, then granted credit as far as such was used, then paid for."""
        micros -= self._cover(micros)
        granted = min(self.granted_used_micros, micros)
        paid = min(self.paid_used_micros, micros - granted)
        self._move_used(-granted, -paid)
        rest = micros - granted - paid
        settled = min(max(0, self.settled_micros), rest)
        self.settled_micros -= settled
        self.paid_micros += settled
        self.granted_micros += rest - settled  # Nobody paid for it.

    def _bounce(self, micros: int) -> None:
        """A payment did not come after all. What came back of it as credit was not paid for then."""
        settled = min(max(0, self.settled_micros), micros)
        paid = min(self.paid_micros, micros - settled)
        used = min(self.paid_used_micros, micros - settled - paid)
        self.settled_micros -= micros - paid - used
        self.paid_micros -= paid
        self.granted_micros += paid
        self.paid_used_micros -= used
        self.granted_used_micros += used

    def _pay(self, micros: int) -> None:
        covered = self._cover(micros)
        self.paid_used_micros += covered
        self.paid_micros += micros - covered

    def _unpay(self, micros: int) -> None:
        """Cash goes back. Use that it had paid for falls to granted credit, or is owed."""
        paid = min(self.paid_micros, micros)
        self.paid_micros -= paid
        self.paid_used_micros -= min(self.paid_used_micros, micros - paid)
        granted = min(self.granted_micros, micros - paid)
        self._move_used(granted, 0)
        self.owed_micros += micros - paid - granted

    def _give(self, micros: int) -> None:
        covered = self._cover(micros)
        self.granted_used_micros += covered
        self.granted_micros += micros - covered

    def _ungive(self, micros: int) -> None:
        """A grant is taken back. Use that it had paid for falls to paid credit, or is owed."""
        granted = min(self.granted_micros, micros)
        self.granted_micros -= granted
        self.granted_used_micros -= min(self.granted_used_micros, micros - granted)
        paid = min(self.paid_micros, micros - granted)
        self._move_used(0, paid)
        self.owed_micros += micros - granted - paid

    def _move_used(self, granted: int, paid: int) -> None:
        self.granted_micros -= granted
        self.granted_used_micros += granted
        self.paid_micros -= paid
        self.paid_used_micros += paid

    def _cover(self, micros: int) -> int:
        """How much of new credit goes to what is owed."""
        covered = min(self.owed_micros, micros)
        self.owed_micros -= covered
        return covered
