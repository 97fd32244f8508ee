"""Paid credit against a purse of single coins: granted ones go first, and only coins that were paid for go back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from hypothesis import example, given
from hypothesis import strategies as st

from petahour.billing.paid_credit import CreditMove, PaidCredit
from petahour.model.usage import TransferKind

MANY = st.lists(st.tuples(st.sampled_from("TGFLCSNBRPUV"), st.integers(1, 9), st.integers(0, 9)), max_size=40)
OUT = (TransferKind.CHARGE, TransferKind.COMMITMENT)


@dataclass
class Purse:
    """Coins one by one: ``p`` paid for, ``g`` granted; used ones lie in ``spent``, and ``o`` there is owed."""

    coins: list[str] = field(default_factory=list)
    spent: list[str] = field(default_factory=list)
    invoices: int = 0

    def gain(self, coin: str) -> None:
        """A new coin pays for one that is owed, if there is one."""
        if "o" in self.spent:
            self.spent.remove("o")
            self.spent.append(coin)
        else:
            self.coins.append(coin)

    def use(self, order: str = "gp") -> None:
        coin = next((one for one in order if one in self.coins), "o")
        if coin != "o":
            self.coins.remove(coin)
        self.spent.append(coin)

    def give_back(self) -> None:
        coin = next((one for one in "ogp" if one in self.spent), None)
        if coin is not None:
            self.spent.remove(coin)
        elif self.invoices > 0:
            self.invoices, coin = self.invoices - 1, "p"
        if coin != "o":
            self.coins.append(coin or "g")

    def settle(self) -> None:
        self.invoices += 1

    def bounce(self) -> None:
        """An invoice is owed again; if none is paid any more, a paid coin turns out to be none, or was paid back."""
        pile = next((one for one in (self.coins, self.spent) if "p" in one), None)
        if self.invoices > 0 or pile is None:
            self.invoices -= 1
        else:
            pile.remove("p")
            pile.append("g")

    def lose(self, coin: str) -> None:
        """A coin goes; if it is spent already, another one has to pay for what it paid for."""
        if coin in self.coins:
            self.coins.remove(coin)
            return
        if coin in self.spent:
            self.spent.remove(coin)
        self.use("gp".replace(coin, ""))


def histories(steps: list[tuple[str, int, int]]) -> Iterator[tuple[CreditMove, Purse]]:
    """Moves that may happen, each with the purse after it. What is refunded is what the purse has of paid coins."""
    purse = Purse()
    done: list[CreditMove] = []
    for what, amount, pick in steps:
        move = _move(what, amount, pick, purse, done)
        if move is None:
            continue
        for _ in range(abs(move.gain_micros)):
            _coin(move, purse)
        done.append(move)
        yield move, purse


def _move(what: str, amount: int, pick: int, purse: Purse, done: list[CreditMove]) -> CreditMove | None:
    kinds = {"T": TransferKind.TOPUP, "G": TransferKind.GRANT, "F": TransferKind.SERVICE_CREDIT}
    kinds |= {"L": TransferKind.LENT_SHARE, "B": TransferKind.ROUNDING, "P": TransferKind.PAYMENT}
    if what in kinds:
        return CreditMove(kinds[what], amount)
    if what in "CS":
        return CreditMove(OUT[what == "S"], -amount)
    if what == "N":
        return CreditMove(TransferKind.SERVICE_CREDIT, amount, of_note=True)
    if what == "R":
        paid = min(amount, purse.coins.count("p") + min(0, purse.invoices))
        return CreditMove(TransferKind.REFUND, -paid) if paid > 0 else None
    if what == "U":
        return CreditMove(TransferKind.PENDING, -amount)
    left = [one for one in done if one.taken is None and not one.of_note and one.kind is not TransferKind.PENDING]
    if not left:
        return None
    taken = left[pick % len(left)]
    cash = purse.coins.count("p") + purse.spent.count("p")
    if taken.kind is TransferKind.TOPUP and cash < taken.gain_micros:
        return None
    done.remove(taken)  # What is taken back is not taken back again.
    return CreditMove(TransferKind.REVERSAL, -taken.gain_micros, taken.kind)


def _coin(move: CreditMove, purse: Purse) -> None:
    kind, gains = move.taken or move.kind, move.gain_micros > 0
    if kind is TransferKind.PAYMENT:
        purse.settle() if gains else purse.bounce()
    elif kind in (TransferKind.TOPUP, TransferKind.REFUND):
        purse.gain("p") if gains else purse.lose("p")
    elif kind in (TransferKind.GRANT, TransferKind.LENT_SHARE) or (
        kind is TransferKind.SERVICE_CREDIT and not move.of_note
    ):
        purse.gain("g") if gains else purse.lose("g")
    elif kind is not TransferKind.PENDING:
        if gains:
            purse.give_back()
        else:
            purse.use("gp" if move.taken is None else "pg")


@given(MANY)
@example([("P", 1, 0), ("N", 1, 0), ("V", 1, 0)])  # an invoice is paid and credited, and the payment bounces
def test_the_parts_are_those_of_a_purse_of_coins(steps: list[tuple[str, int, int]]) -> None:
    parts = PaidCredit()
    cash = granted = 0
    for move, purse in histories(steps):
        before = parts.refundable_micros(0)
        parts.take(move)
        owed = purse.spent.count("o")
        assert (parts.granted_micros, parts.paid_micros) == (purse.coins.count("g"), purse.coins.count("p"))
        assert (parts.owed_micros, parts.settled_micros) == (owed, purse.invoices)
        assert parts.left_micros == len(purse.coins) - owed
        kind = move.taken or move.kind
        if kind in (TransferKind.TOPUP, TransferKind.REFUND, TransferKind.PAYMENT):
            cash += move.gain_micros
        if kind in (TransferKind.GRANT, TransferKind.LENT_SHARE, TransferKind.SERVICE_CREDIT):
            granted += move.gain_micros
            # What nobody pays for never makes more of it refundable, unless it is a credit note.
            assert move.of_note or move.gain_micros < 0 or parts.refundable_micros(0) == before
        # No more goes back than came in, and all that is left where nothing was ever granted.
        assert parts.refundable_micros(0) <= max(0, cash)


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 9)), max_size=30), st.integers(0, 50))
def test_without_grants_all_that_is_left_and_not_held_is_refundable(steps: list[tuple[bool, int]], held: int) -> None:
    moves = [
        CreditMove(TransferKind.TOPUP, amount) if buys else CreditMove(TransferKind.CHARGE, -amount)
        for buys, amount in steps
    ]
    left = sum(one.gain_micros for one in moves)
    assert PaidCredit.of(moves).refundable_micros(held) == max(0, left - held)


@given(MANY, st.integers(1, 100))
def test_holds_are_on_granted_credit_first(steps: list[tuple[str, int, int]], held: int) -> None:
    """What may be paid back while something is held is what could be paid back after all of it was used."""
    parts = PaidCredit.of(move for move, _ in histories(steps))
    most = parts.refundable_micros(held)
    parts.take(CreditMove(TransferKind.CHARGE, -held))
    assert most == parts.refundable_micros(0)


@given(MANY)
def test_use_between_two_other_moves_is_one(steps: list[tuple[str, int, int]]) -> None:
    moves = [move for move, _ in histories(steps)]
    summed: list[CreditMove] = []
    for move in moves:
        if summed and move.kind in OUT and summed[-1].kind in OUT:
            summed[-1] = CreditMove(move.kind, move.gain_micros + summed[-1].gain_micros)
        else:
            summed.append(move)
    assert PaidCredit.of(summed) == PaidCredit.of(moves)
