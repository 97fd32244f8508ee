"""A statement of account: what moved on a tenant's credit and receivable in a while, and the balances around it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from petahour.model.time import DAY_MS
from petahour.model.usage import Transfer, TransferKind

_BY_DAY = frozenset({TransferKind.CHARGE, TransferKind.COMMITMENT, TransferKind.LENT_SHARE})
_MOVES_NOTHING = frozenset({TransferKind.PENDING, TransferKind.VOID, TransferKind.EXPIRE})


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One movement, positive where the tenant gained, of ``count`` transfers; a day's use is one, at its last."""

    at_ms: int
    kind: str
    note: str
    amount_micros: int
    balance_micros: int
    count: int = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class AccountStatement:
    """One account in ``[from_ms, to_ms)``: ``closing`` = ``opening`` + the sum of the entries."""

    account: str
    from_ms: int
    to_ms: int
    opening_micros: int
    entries: tuple[Entry, ...]
    closing_micros: int


def account_statement(account: str, transfers: Iterable[Transfer], *, from_ms: int, to_ms: int) -> AccountStatement:
    """``transfers`` are all that ever touched the account, in the order they were committed; holds move nothing."""
    moves = [
        (one.at_ms, place, one)
        for place, one in enumerate(transfers)
        if account in (one.debit, one.credit) and one.at_ms < to_ms and one.kind not in _MOVES_NOTHING
    ]
    opening = sum(_gain(one, account) for at_ms, _, one in moves if at_ms < from_ms)
    # A day's use stands where its last part was, so that credit added before it is there before it.
    sums: dict[tuple[int, int, str, str], list[int]] = {}
    for at_ms, place, one in sorted(move for move in moves if move[0] >= from_ms):
        used = one.kind in _BY_DAY
        key = (at_ms - at_ms % DAY_MS, -1, one.kind.value, "") if used else (at_ms, place, one.kind.value, _note(one))
        found = sums.setdefault(key, [0, 0, 0, 0])
        found[0] += _gain(one, account)
        found[1] += 1
        found[2:] = at_ms, place
    balance = opening
    entries = []
    for (_, _, kind, note), (amount, count, at_ms, _) in sorted(sums.items(), key=lambda item: item[1][2:]):
        balance += amount
        entries.append(
            Entry(at_ms=at_ms, kind=kind, note=note, amount_micros=amount, balance_micros=balance, count=count)
        )
    return AccountStatement(
        account=account,
        from_ms=from_ms,
        to_ms=to_ms,
        opening_micros=opening,
        entries=tuple(entries),
        closing_micros=balance,
    )


def _gain(transfer: Transfer, account: str) -> int:
    return transfer.amount_micros if transfer.credit == account else -transfer.amount_micros


def _note(transfer: Transfer) -> str:
    return " ".join((transfer.note or transfer.cause).split())
