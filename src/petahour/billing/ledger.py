"""The ledger's rules: which transfer each cause makes, and what a transfer does to two balances."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

from petahour.model.allocations import Allocation
from petahour.model.errors import InvariantError, ValidationError
from petahour.model.jobs import Tier
from petahour.model.money import Money
from petahour.model.time import HOUR_MS
from petahour.model.usage import AccountKind, Balance, Charge, Transfer, TransferKind, account_id

MAX_KEY_LENGTH = 128


def topup(*, tenant: str, money: Money, key: str, at_ms: int, note: str = "") -> Transfer:
    """Prepaid credit bought: the operator's cash to the tenant. ``key`` is the payer's idempotency key.

    The id is that of tenant and key, parted by a colon that no tenant's name holds, so that no two pairs
    share one. Raises ValidationError on an amount that is not positive or a key that cannot be one.
    """
    if money.micros <= 0:
        raise ValidationError(
            field="amount", value=str(money), rule="more than zero", remedy="To take credit back, reverse its top-up."
        )
    if not 1 <= len(key) <= MAX_KEY_LENGTH or not key.isprintable():
        raise ValidationError(
            field="key",
            value=key,
            rule=f"1 to {MAX_KEY_LENGTH} printable characters",
            remedy="Use the number of the payment.",
        )
    return Transfer(
        id=f"trf-topup-{tenant}:{key}",
        kind=TransferKind.TOPUP,
        debit=account_id(AccountKind.CASH, money.currency),
        credit=account_id(AccountKind.PREPAID, money.currency, tenant),
        amount_micros=money.micros,
        currency=money.currency,
        at_ms=at_ms,
        cause=key,
        note=note,
    )


def hold(allocation: Allocation, *, number: int, amount_micros: int, at_ms: int) -> Transfer:
    """The ``number``-th hold of an allocation: credit reserved for what it may use, nothing moved yet."""
    if amount_micros < 0:
        raise InvariantError(rule="a hold is not negative", value=(allocation.id, amount_micros))
    debit, credit = use_accounts(
        tenant=allocation.tenant,
        currency=allocation.currency,
        type=allocation.type,
        tier=allocation.tier,
        rehearsal=allocation.rehearsal,
        postpaid=allocation.postpaid,
    )
    return Transfer(
        id=f"trf-hold-{allocation.id}-{number}",
        kind=TransferKind.PENDING,
        debit=debit,
        credit=credit,
        amount_micros=amount_micros,
        currency=allocation.currency,
        at_ms=at_ms,
        cause=allocation.id,
    )


def void(held: Transfer, *, at_ms: int) -> Transfer:
    """Closes a hold without moving anything. A hold can be closed once, as the id is that of the hold."""
    if held.kind is not TransferKind.PENDING:
        raise InvariantError(rule="only a pending transfer can be voided", value=held.id)
    return replace(
        held,
        id="trf-void-" + held.id.removeprefix("trf-hold-"),
        kind=TransferKind.VOID,
        at_ms=at_ms,
        pending=held.id,
        expires_ms=None,
    )


def expire(held: Transfer, *, at_ms: int) -> Transfer:
    """Closes a hold whose time is over, without moving anything. Raises InvariantError before that."""
    if held.kind is not TransferKind.PENDING:
        raise InvariantError(rule="only a pending transfer can expire", value=held.id)
    if held.expires_ms is None or at_ms < held.expires_ms:
        raise InvariantError(rule="a pending transfer expires when its time is over", value=(held.id, at_ms))
    return replace(
        held,
        id="trf-expire-" + held.id.removeprefix("trf-hold-"),
        kind=TransferKind.EXPIRE,
        at_ms=at_ms,
        pending=held.id,
        expires_ms=None,
    )


def post(held: Transfer, *, amount_micros: int, at_ms: int) -> Transfer:
    """Closes a hold by moving at most what it held; the rest is free again. Raises InvariantError on more."""
    if held.kind is not TransferKind.PENDING:
        raise InvariantError(rule="only a pending transfer can be posted", value=held.id)
    if not 0 <= amount_micros <= held.amount_micros:
        raise InvariantError(rule="at most what was held is posted", value=(held.id, amount_micros))
    return replace(
        held,
        id="trf-post-" + held.id.removeprefix("trf-hold-"),
        kind=TransferKind.POST,
        amount_micros=amount_micros,
        at_ms=at_ms,
        pending=held.id,
        expires_ms=None,
    )


def post_charge(charge: Charge, *, at_ms: int, postpaid: bool = False) -> Transfer:
    """The tenant's credit, or what it owes, to the operator's revenue; rehearsal use to accounts of its own.

    The transfer is dated inside the charge's hour, whenever it is posted: the last hour of a month is closed
    in the next one, and the month's ledger must equal the month's invoice.
    """
    debit, credit = use_accounts(
        tenant=charge.tenant,
        currency=charge.currency,
        type=charge.type,
        tier=charge.tier,
        rehearsal=charge.rehearsal,
        postpaid=postpaid,
    )
    return Transfer(
        id=charge_transfer_id(charge),
        kind=TransferKind.CHARGE,
        debit=debit,
        credit=credit,
        amount_micros=charge.amount_micros,
        currency=charge.currency,
        at_ms=min(max(at_ms, charge.hour_ms), charge.hour_ms + HOUR_MS - 1),
        cause=charge.usage,
    )


def reversal(transfer: Transfer, *, at_ms: int, note: str) -> Transfer:
    """Takes a posted transfer back in full, as a transfer of its own at its own time."""
    if transfer.kind.closes or transfer.kind is TransferKind.PENDING:
        raise InvariantError(rule="only what moved money by itself can be reversed, no hold", value=transfer.id)
    return replace(
        transfer,
        id="trf-rev-" + transfer.id.removeprefix("trf-"),
        kind=TransferKind.REVERSAL,
        debit=transfer.credit,
        credit=transfer.debit,
        at_ms=at_ms,
        cause=transfer.id,
        note=note,
    )


def charge_transfer_id(charge: Charge) -> str:
    """The id of the one transfer that posts a charge."""
    return f"trf-{charge.id}"


@lru_cache(maxsize=65_536)  # a month posts the same few by the thousand
def use_accounts(
    *,
    tenant: str,
    currency: str,
    type: str,  # noqa: A002 - the word of the glossary
    tier: Tier,
    rehearsal: bool,
    postpaid: bool = False,
) -> tuple[str, str]:
    """The accounts that use is taken from and earned in. Rehearsal never touches real credit or revenue."""
    own = AccountKind.RECEIVABLE if postpaid else AccountKind.PREPAID
    spent = AccountKind.REHEARSAL_USE if rehearsal else own
    earned = AccountKind.REHEARSAL_REVENUE if rehearsal else AccountKind.REVENUE
    return account_id(spent, currency, tenant), account_id(earned, currency, detail=f"{type}/{tier.value}")


def apply(debit: Balance, credit: Balance, transfer: Transfer, pending: Transfer | None) -> tuple[Balance, Balance]:
    """Both balances after a transfer; ``pending`` is the transfer that a post, void or expiry closes.

    A post moves its own amount, at most the held one, and releases the whole hold. The caller makes sure
    that a pending transfer is closed once. Raises InvariantError on anything that double entry forbids.
    """
    if (debit.account, credit.account) != (transfer.debit, transfer.credit):
        raise InvariantError(rule="a transfer is applied to its own accounts", value=transfer.id)
    held = {} if pending is None else {transfer.pending: pending}
    after = apply_all({debit.account: debit, credit.account: credit}, [transfer], held)
    return after[debit.account], after[credit.account]


def apply_all(
    before: Mapping[str, Balance], transfers: Iterable[Transfer], held: Mapping[str, Transfer]
) -> dict[str, Balance]:
    """The balances that transfers change, by account, after all of them, applied in this order.

    ``before``: balances as they are; an account that is not there is empty. ``held``: the pending transfers that
    are closed, unless they are among these transfers themselves. Raises what ``apply`` does.
    """
    sums: dict[str, _Sums] = {}
    held = dict(held)
    for transfer in transfers:
        debit = sums.get(transfer.debit) or _begin(sums, before, transfer.debit, transfer.currency)
        credit = sums.get(transfer.credit) or _begin(sums, before, transfer.credit, transfer.currency)
        _check_entry(debit.currency, credit.currency, transfer)
        kind, amount, pending = transfer.kind, transfer.amount_micros, held.get(transfer.pending)
        closes = kind.closes
        if closes:
            released = _check_closing(transfer, pending)
            debit.pending_debits -= released
            credit.pending_credits -= released
            if debit.pending_debits < 0 or credit.pending_credits < 0:
                raise InvariantError(rule="a closed hold is part of both balances", value=transfer.id)
        else:
            _check_none(transfer, pending)
        if kind is TransferKind.PENDING:
            debit.pending_debits += amount
            credit.pending_credits += amount
            held[transfer.id] = transfer
        elif kind is TransferKind.POST or not closes:
            debit.debits += amount
            credit.credits += amount
    return {account: one.balance(account) for account, one in sums.items()}


def _begin(sums: dict[str, _Sums], before: Mapping[str, Balance], account: str, currency: str) -> _Sums:
    sums[account] = _Sums.of(before.get(account), currency)
    return sums[account]


@dataclass(slots=True)
class _Sums:
    """An account's sums while transfers are applied to it."""

    currency: str
    debits: int
    credits: int
    pending_debits: int
    pending_credits: int

    @classmethod
    def of(cls, balance: Balance | None, currency: str) -> _Sums:
        if balance is None:
            return cls(currency, 0, 0, 0, 0)
        return cls(
            balance.currency,
            balance.debits_micros,
            balance.credits_micros,
            balance.pending_debits_micros,
            balance.pending_credits_micros,
        )

    def balance(self, account: str) -> Balance:
        return Balance(
            account=account,
            currency=self.currency,
            debits_micros=self.debits,
            credits_micros=self.credits,
            pending_debits_micros=self.pending_debits,
            pending_credits_micros=self.pending_credits,
        )


def replay(transfers: Iterable[Transfer]) -> dict[str, Balance]:
    """Every account's balance from its transfers alone, in the order they were committed.

    Raises InvariantError on a repeated id, on a pending transfer closed twice or before it exists, and on a
    reversal that is not the exact mirror of what it reverses.
    """
    balances: dict[str, Balance] = {}
    seen: dict[str, Transfer] = {}
    closed: set[str] = set()
    for transfer in transfers:
        if transfer.id in seen:
            raise InvariantError(rule="a transfer's id occurs once", value=transfer.id)
        if transfer.pending in closed:
            raise InvariantError(rule="a pending transfer is closed once", value=transfer.pending)
        if transfer.kind is TransferKind.REVERSAL:
            _check_mirror(transfer, seen.get(transfer.cause))
        debit = balances.get(transfer.debit) or Balance(account=transfer.debit, currency=transfer.currency)
        credit = balances.get(transfer.credit) or Balance(account=transfer.credit, currency=transfer.currency)
        debit, credit = apply(debit, credit, transfer, seen.get(transfer.pending))
        balances[debit.account], balances[credit.account] = debit, credit
        seen[transfer.id] = transfer
        if transfer.pending:
            closed.add(transfer.pending)
    return balances


def check_double_entry(balances: Iterable[Balance]) -> None:
    """Debits equal credits in every currency, posted and pending alike, or InvariantError."""
    sums: dict[str, list[int]] = {}
    for balance in balances:
        total = sums.setdefault(balance.currency, [0, 0])
        total[0] += balance.posted_micros
        total[1] += balance.pending_credits_micros - balance.pending_debits_micros
    for currency, total in sums.items():
        if any(total):
            raise InvariantError(rule="debits equal credits", value=(currency, *total))


def _check_entry(debit_currency: str, credit_currency: str, transfer: Transfer) -> None:
    if transfer.amount_micros < 0:
        raise InvariantError(rule="a transfer's amount is not negative", value=transfer.id)
    if transfer.expires_ms is not None and transfer.kind is not TransferKind.PENDING:
        raise InvariantError(rule="only a pending transfer expires", value=transfer.id)
    if transfer.debit == transfer.credit:
        raise InvariantError(rule="a transfer goes between two accounts", value=transfer.id)
    if not debit_currency == credit_currency == transfer.currency:
        raise InvariantError(rule="a transfer and its accounts have one currency", value=transfer.id)


def _check_none(transfer: Transfer, pending: Transfer | None) -> None:
    if transfer.pending or pending is not None:
        raise InvariantError(rule="only a post, a void or an expiry closes a pending transfer", value=transfer.id)


def _check_closing(transfer: Transfer, pending: Transfer | None) -> int:
    """The held amount that the transfer releases."""
    if pending is None or pending.kind is not TransferKind.PENDING or pending.id != transfer.pending:
        raise InvariantError(
            rule="a post, a void or an expiry closes a pending transfer that is there", value=transfer.id
        )
    same = (pending.debit, pending.credit, pending.currency)
    if same != (transfer.debit, transfer.credit, transfer.currency):
        raise InvariantError(rule="a hold is closed on its own accounts", value=transfer.id)
    if transfer.amount_micros > pending.amount_micros:
        raise InvariantError(rule="at most what was held is posted", value=transfer.id)
    if transfer.kind is not TransferKind.POST and transfer.amount_micros != pending.amount_micros:
        raise InvariantError(rule="a void or an expiry releases the whole hold", value=transfer.id)
    if transfer.kind is TransferKind.EXPIRE and (pending.expires_ms is None or transfer.at_ms < pending.expires_ms):
        raise InvariantError(rule="a pending transfer expires when its time is over", value=transfer.id)
    return pending.amount_micros


def _check_mirror(transfer: Transfer, original: Transfer | None) -> None:
    if original is None:
        raise InvariantError(rule="a reversal follows what it reverses", value=transfer.id)
    mirrored = (original.credit, original.debit, original.amount_micros, original.currency)
    if mirrored != (transfer.debit, transfer.credit, transfer.amount_micros, transfer.currency):
        raise InvariantError(rule="a reversal mirrors what it reverses", value=transfer.id)
