"""A statement of account: what moved on a tenant's credit and receivable in a while, and the balances around it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from petahour.model.time import DAY_MS
from petahour.model.usage import Transfer, TransferKind

_BY_DAY = frozenset({TransferKind.CHARGE, TransferKind.COMMITMENT, TransferKind.LENT_SHARE, TransferKind.FEE})
_MOVES_NOTHING = frozenset({TransferKind.PENDING, TransferKind.VOID, TransferKind.EXPIRE})


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One movement, positive where the tenant gained, of ``count`` transfers; a day's use is one, at its last.

    ``transfer`` is the id of the only one; empty where there are several.
    """

    at_ms: int
    kind: str
    note: str
    amount_micros: int
    balance_micros: int
    count: int = 1
    transfer: str = ""


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
    groups: dict[tuple[int, int, str, str], list[tuple[int, int, Transfer]]] = {}
    for at_ms, place, one in sorted(move for move in moves if move[0] >= from_ms):
        groups.setdefault(_entry_of(one, place), []).append((at_ms, place, one))
    balance = opening
    entries = []
    for (_, _, kind, note), parts in sorted(groups.items(), key=lambda item: item[1][-1][:2]):
        amount = sum(_gain(one, account) for _, _, one in parts)
        balance += amount
        entries.append(
            Entry(
                at_ms=parts[-1][0],
                kind=kind,
                note=note,
                amount_micros=amount,
                balance_micros=balance,
                count=len(parts),
                transfer=parts[0][2].id if len(parts) == 1 else "",
            )
        )
    return AccountStatement(
        account=account,
        from_ms=from_ms,
        to_ms=to_ms,
        opening_micros=opening,
        entries=tuple(entries),
        closing_micros=balance,
    )


def _entry_of(transfer: Transfer, place: int) -> tuple[int, int, str, str]:
    """What the transfers of one entry have in common. The hours of two reservations are two entries."""
    kind = transfer.kind.value
    if transfer.kind not in _BY_DAY:
        return transfer.at_ms, place, kind, _note(transfer)
    note = _note(transfer) if transfer.kind is TransferKind.FEE else ""
    return transfer.at_ms - transfer.at_ms % DAY_MS, -1, kind, note


def _gain(transfer: Transfer, account: str) -> int:
    return transfer.amount_micros if transfer.credit == account else -transfer.amount_micros


def _note(transfer: Transfer) -> str:
    return " ".join((transfer.note or transfer.cause).split())
