"""The ledger: every transfer has its cause, balances follow from transfers, holds belong to what runs."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import asdict

from petahour.billing.ledger import replay
from petahour.control.audit.check import Check, checked
from petahour.control.audit.facts import Facts
from petahour.model.errors import PetahourError
from petahour.model.usage import AccountKind, Balance, Charge, Transfer, TransferKind, account_id

_REHEARSAL = (AccountKind.REHEARSAL_USE, AccountKind.REHEARSAL_REVENUE)


def ledger_checks(facts: Facts) -> tuple[Check, ...]:
    """The promises about money."""
    return (
        checked("every charge has one transfer of its amount", _charge_transfers(facts)),
        checked("rehearsals touch rehearsal accounts only", _rehearsals(facts)),
        checked("every top-up has its event", _topups(facts)),
        checked("balances follow from the transfers", _balances(facts)),
        checked("debits equal credits", _double_entry(facts)),
        checked("holds are those of live allocations", _holds(facts)),
    )


def _charge_transfers(facts: Facts) -> Iterator[str]:
    posted: dict[str, list[Transfer]] = defaultdict(list)
    for transfer in facts.transfers:
        if transfer.kind is TransferKind.CHARGE:
            posted[transfer.cause].append(transfer)
    for charge in facts.charges:
        mine = posted.pop(charge.usage, [])
        if len(mine) != (1 if charge.amount_micros else 0):
            yield f"{charge.id} of {charge.amount_micros} micros has {len(mine)} transfers"
        for transfer in mine:
            due = (*_accounts(charge), charge.amount_micros, charge.currency)
            made = (transfer.debit, transfer.credit, transfer.amount_micros, transfer.currency)
            if made != due:
                yield f"{transfer.id} is {made}, should be {due}"
    for cause, strays in posted.items():
        yield f"{strays[0].id} is for {cause}, which has no charge"


def _accounts(charge: Charge) -> tuple[str, str]:
    spent = AccountKind.REHEARSAL_USE if charge.rehearsal else AccountKind.PREPAID
    earned = AccountKind.REHEARSAL_REVENUE if charge.rehearsal else AccountKind.REVENUE
    detail = f"{charge.type}/{charge.tier.value}"
    return account_id(spent, charge.currency, charge.tenant), account_id(earned, charge.currency, detail=detail)


def _rehearsals(facts: Facts) -> Iterator[str]:
    rehearsed = {charge.usage: charge.rehearsal for charge in facts.charges}
    for transfer in facts.transfers:
        sides = [account.split(":")[0] in _REHEARSAL for account in (transfer.debit, transfer.credit)]
        if sides[0] is not sides[1]:
            yield f"{transfer.id} goes between a rehearsal account and a real one"
        if transfer.kind is TransferKind.CHARGE and rehearsed.get(transfer.cause, sides[0]) is not sides[0]:
            yield f"{transfer.id} charges a rehearsal to real accounts, or the reverse"
        if transfer.kind is TransferKind.PENDING and sides[0]:
            yield f"{transfer.id} holds credit for a rehearsal"


def _topups(facts: Facts) -> Iterator[str]:
    made = {transfer.id: transfer for transfer in facts.transfers if transfer.kind is TransferKind.TOPUP}
    named = Counter(str(event.data.get("transfer")) for event in facts.credits)
    for name in made.keys() - named.keys():
        yield f"{name} has no event"
    for event in facts.credits:
        name = str(event.data.get("transfer"))
        transfer = made.get(name)
        if transfer is None:
            yield f"event {event.seq} names the top-up {name}, which is not there"
            continue
        currency = str(event.data.get("currency"))
        due = (
            account_id(AccountKind.CASH, currency),
            account_id(AccountKind.PREPAID, currency, event.tenant or "?"),
            event.data.get("amount_micros"),
        )
        if (transfer.debit, transfer.credit, transfer.amount_micros) != due or named[name] != 1:
            yield f"{name} of {transfer.amount_micros} micros is not what event {event.seq} tells: {due}"


def _balances(facts: Facts) -> Iterator[str]:
    try:
        due = replay(facts.transfers)
    except PetahourError as error:
        yield str(error)
        return
    stored = {balance.account: balance for balance in facts.balances}
    for account in sorted(due.keys() | stored.keys()):
        nothing = Balance(account=account, currency=stored[account].currency if account in stored else "")
        have, want = stored.get(account), due.get(account, nothing)
        if have is None:
            yield f"account {account} is missing"
        elif have != want:
            differing = {
                key: (value, asdict(want)[key]) for key, value in asdict(have).items() if value != asdict(want)[key]
            }
            yield f"account {account} differs (stored, replayed): {differing}"


def _double_entry(facts: Facts) -> Iterator[str]:
    sums: dict[str, Counter[str]] = defaultdict(Counter)
    for balance in facts.balances:
        sums[balance.currency]["posted"] += balance.debits_micros - balance.credits_micros
        sums[balance.currency]["pending"] += balance.pending_debits_micros - balance.pending_credits_micros
    for currency, total in sums.items():
        if any(total.values()):
            yield f"{currency}: debits exceed credits by {dict(total)}"


def _holds(facts: Facts) -> Iterator[str]:
    closed = {transfer.pending for transfer in facts.transfers if transfer.pending}
    pending = {one.id: one for one in facts.transfers if one.kind is TransferKind.PENDING and one.id not in closed}
    named: dict[str, str] = {}
    for allocation in facts.allocations.values():
        if not allocation.hold_transfer:
            continue
        named[allocation.hold_transfer] = allocation.id
        life = facts.lives.get(allocation.id)
        if life is not None and life.ended:
            yield f"allocation {allocation.id} has ended and still names the hold {allocation.hold_transfer}"
        if allocation.hold_transfer not in pending:
            yield f"allocation {allocation.id} names the hold {allocation.hold_transfer}, which is not open"
    for name, transfer in pending.items():
        if name not in named:
            yield f"{name} is open, and no allocation names it"
        elif transfer.cause != named[name]:
            yield f"{name} is named by {named[name]} and was made for {transfer.cause}"
    held: Counter[str] = Counter()
    for transfer in pending.values():
        held[transfer.debit] += transfer.amount_micros
    for balance in facts.balances:
        open_micros = held[balance.account]
        if balance.pending_debits_micros != open_micros:
            yield f"account {balance.account} holds {balance.pending_debits_micros}, its open holds {open_micros}"
