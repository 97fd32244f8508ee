"""The ledger: every transfer has its cause, balances follow from transfers, the chain is whole. One pass over all."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from petahour.billing.chain import GENESIS, digest
from petahour.control.audit.check import Check, Findings
from petahour.control.audit.facts import Facts
from petahour.control.audit.moves import MOVES, CreditMoves
from petahour.control.audit.refunds import REFUNDS, refund_faults
from petahour.model.usage import AccountKind, Balance
from petahour.store.protocol import StoredCharge, StoredTransfer, Transaction

CHAIN = "every transfer is chained to the one before"
POSTED = "every charge has one transfer of its amount"
REHEARSALS = "rehearsals touch rehearsal accounts only"
REVERSALS = "every reversal mirrors what it takes back"
BALANCES = "balances follow from the transfers"
DOUBLE = "debits equal credits"
HOLDS = "holds are those of live allocations"

_CLOSING = ("post", "void", "expire")
_REHEARSAL = (AccountKind.REHEARSAL_USE.value, AccountKind.REHEARSAL_REVENUE.value)


def ledger_checks(tx: Transaction, facts: Facts, *, anchor: str | None = None) -> tuple[Check, ...]:
    """The promises about money. ``anchor``: a hash that was noted down once and has to be in the chain."""
    findings = Findings((CHAIN, POSTED, REHEARSALS, MOVES, BALANCES, REVERSALS, REFUNDS, DOUBLE, HOLDS))
    books = Books()
    previous, anchored = GENESIS, anchor is None
    moves = CreditMoves(facts.credits)
    refunded: set[str] = set()
    # Accounts and terms under which a charge was found sound, with the sums of both accounts.
    sound: dict[tuple[object, ...], tuple[_Sums, _Sums]] = {}
    posted = 0
    for transfer, stored_hash, charge in tx.ledger.every_transfer():
        if stored_hash != digest(previous, (*transfer[:8], transfer.pending or "", *transfer[9:])):
            findings.add(CHAIN, f"{transfer.id} does not follow the transfer before it, or was changed")
        previous = stored_hash
        anchored = anchored or stored_hash == anchor
        way = (*transfer[2:4], transfer.currency, *charge[2:7], charge.currency)
        sums = sound.get(way)
        if sums is not None and _like_others(transfer, charge):
            sums[0].debits += transfer.amount_micros
            sums[1].credits += transfer.amount_micros
            posted += transfer.amount_micros != 0
            continue
        found = [(BALANCES, fault) for fault in books.enter(transfer)]
        found += [(REHEARSALS, fault) for fault in _rehearsal(transfer, charge)]
        if transfer.kind == "charge":
            posted += charge.id is not None and charge.amount_micros != 0
            found += [(POSTED, fault) for fault in _posts(transfer, charge)]
            if not found:
                sound[way] = (books.accounts[transfer.debit], books.accounts[transfer.credit])
        else:
            moves.enter(transfer)
            if transfer.kind == "refund":
                refunded.add(transfer.debit)
        for name, fault in found:
            findings.add(name, fault)
    if not anchored:
        findings.add(CHAIN, f"no transfer has the hash {anchor}: the chain was cut or computed anew")
    if posted != tx.ledger.charge_count(payable=True):
        for name in tx.ledger.charges_without_transfer():
            findings.add(POSTED, f"{name} has no transfer")
    for check, faults in (
        (MOVES, moves.faults()),
        (BALANCES, books.differences(facts.balances)),
        (REVERSALS, _reversals(tx, books)),
        (REFUNDS, refund_faults(tx, refunded)),
        (DOUBLE, _double_entry(facts)),
        (HOLDS, _holds(facts, books)),
    ):
        for fault in faults:
            findings.add(check, fault)
    return findings.checks()


@dataclass(slots=True)
class _Sums:
    """One account, as its transfers say."""

    currency: str
    debits: int = 0
    credits: int = 0
    pending_debits: int = 0
    pending_credits: int = 0


class Books:
    """Every account's sums from the transfers alone, by additions of its own; and what is held open."""

    def __init__(self) -> None:
        self.accounts: dict[str, _Sums] = {}
        self.open: dict[str, StoredTransfer] = {}
        self.reversals: list[StoredTransfer] = []

    def enter(self, transfer: StoredTransfer) -> Iterator[str]:
        """Take in the next transfer; what is wrong with it."""
        amount, name = transfer.amount_micros, transfer.id
        debit, credit = self._sums(transfer.debit, transfer), self._sums(transfer.credit, transfer)
        if amount < 0 or transfer.debit == transfer.credit:
            yield f"{name} is no transfer between two accounts"
        if not debit.currency == credit.currency == transfer.currency:
            yield f"{name} mixes currencies"
        if transfer.kind == "pending":
            debit.pending_debits += amount
            credit.pending_credits += amount
            self.open[name] = transfer
            return
        moved = amount
        if transfer.kind in _CLOSING:
            held = self.open.pop(transfer.pending or "", None)
            if held is None:
                yield f"{name} closes {transfer.pending}, which is not open"
            else:
                debit.pending_debits -= held.amount_micros
                credit.pending_credits -= held.amount_micros
                yield from _closes(transfer, held)
            moved = amount if transfer.kind == "post" else 0
        elif transfer.pending:
            yield f"{name} is a {transfer.kind} and names the hold {transfer.pending}"
        elif transfer.kind == "reversal":
            self.reversals.append(transfer)
        debit.debits += moved
        credit.credits += moved

    def differences(self, stored: Mapping[str, Balance]) -> Iterator[str]:
        """Accounts whose stored balance is another than that of their transfers."""
        for account in sorted(self.accounts.keys() | stored.keys()):
            have, due = stored.get(account), self.accounts.get(account)
            if have is None:
                yield f"account {account} is missing"
                continue
            sums = due or _Sums(currency=have.currency)
            told = (sums.currency, sums.debits, sums.credits, sums.pending_debits, sums.pending_credits)
            kept = (
                have.currency,
                have.debits_micros,
                have.credits_micros,
                have.pending_debits_micros,
                have.pending_credits_micros,
            )
            if told != kept:
                yield f"account {account} is stored as {kept}, its transfers come to {told}"

    def _sums(self, account: str, transfer: StoredTransfer) -> _Sums:
        found = self.accounts.get(account)
        if found is None:
            found = self.accounts[account] = _Sums(transfer.currency)
        return found


def _closes(transfer: StoredTransfer, held: StoredTransfer) -> Iterator[str]:
    if held[2:4] != transfer[2:4]:
        yield f"{transfer.id} closes {held.id} on other accounts"
    wrong = transfer.amount_micros > held.amount_micros
    if wrong or (transfer.kind != "post" and transfer.amount_micros != held.amount_micros):
        yield f"{transfer.id} of {transfer.amount_micros} closes {held.id} of {held.amount_micros}"
    if transfer.kind == "expire" and (held.expires_ms is None or transfer.at_ms < held.expires_ms):
        yield f"{transfer.id} lets {held.id} expire before its time"


def _like_others(transfer: StoredTransfer, charge: StoredCharge) -> bool:
    """Whether all is well that a charge on accounts and terms found sound before has of its own: the whole checks
    would find nothing in it either.
    """
    return (
        transfer.kind == "charge"
        and not transfer.pending
        and 0 <= transfer.amount_micros == charge.amount_micros
        and charge.id is not None
        and transfer.id == "trf-" + charge.id
    )


def _posts(transfer: StoredTransfer, charge: StoredCharge) -> Iterator[str]:
    if charge.id is None:
        yield f"{transfer.id} is for {transfer.cause}, which has no charge"
        return
    if transfer.id != f"trf-{charge.id}":
        yield f"{transfer.id} posts {charge.id} once more"
    made = (transfer.debit, transfer.credit, transfer.amount_micros, transfer.currency)
    due = (*_accounts(charge, transfer.debit), charge.amount_micros, charge.currency)
    if made != due:
        yield f"{transfer.id} is {made}, should be {due}"


def _accounts(charge: StoredCharge, taken_from: str) -> tuple[str, str]:
    currency, sold = charge.currency, f"{charge.type}/{charge.tier}"
    if charge.rehearsal:
        return f"rehearsal-use:{charge.tenant}:{currency}", f"rehearsal-revenue:operator:{currency}:{sold}"
    # Use is paid from credit or, by those who pay later, added to what they owe.
    owed = f"receivable:{charge.tenant}:{currency}"
    spent = owed if taken_from == owed else f"prepaid:{charge.tenant}:{currency}"
    return spent, f"revenue:operator:{currency}:{sold}"


def _rehearsal(transfer: StoredTransfer, charge: StoredCharge) -> Iterator[str]:
    first, second = transfer.debit.startswith(_REHEARSAL), transfer.credit.startswith(_REHEARSAL)
    if first is not second:
        yield f"{transfer.id} goes between a rehearsal account and a real one"
    if charge.id is not None and bool(charge.rehearsal) is not first:
        yield f"{transfer.id} charges a rehearsal to real accounts, or the reverse"
    if transfer.kind == "pending" and first:
        yield f"{transfer.id} holds credit for a rehearsal"


def _reversals(tx: Transaction, books: Books) -> Iterator[str]:
    for reversal in books.reversals:
        taken = tx.ledger.transfer(reversal.cause)
        mirror = (reversal.credit, reversal.debit, reversal.amount_micros, reversal.currency)
        if taken is None or (taken.debit, taken.credit, taken.amount_micros, taken.currency) != mirror:
            yield f"{reversal.id} does not mirror {reversal.cause}"


def _double_entry(facts: Facts) -> Iterator[str]:
    sums: dict[str, Counter[str]] = defaultdict(Counter)
    for balance in facts.balances.values():
        sums[balance.currency]["posted"] += balance.debits_micros - balance.credits_micros
        sums[balance.currency]["pending"] += balance.pending_debits_micros - balance.pending_credits_micros
    for currency, total in sums.items():
        if any(total.values()):
            yield f"{currency}: debits exceed credits by {dict(total)}"


def _holds(facts: Facts, books: Books) -> Iterator[str]:
    named: dict[str, str] = {}
    for allocation in facts.allocations.values():
        if not allocation.hold_transfer:
            continue
        named[allocation.hold_transfer] = allocation.id
        life = facts.lives.get(allocation.id)
        if life is not None and life.ended:
            yield f"allocation {allocation.id} has ended and still names the hold {allocation.hold_transfer}"
        if allocation.hold_transfer not in books.open:
            yield f"allocation {allocation.id} names the hold {allocation.hold_transfer}, which is not open"
    for name, transfer in books.open.items():
        # A hold that is for no allocation ends by itself, or by whoever made it.
        if name in named and transfer.cause != named[name]:
            yield f"{name} is named by {named[name]} and was made for {transfer.cause}"
        elif name not in named and transfer.cause in facts.allocations:
            yield f"{name} is open, and no allocation names it"
    held: Counter[str] = Counter()
    for transfer in books.open.values():
        held[transfer.debit] += transfer.amount_micros
    for balance in facts.balances.values():
        open_micros = held[balance.account]
        if balance.pending_debits_micros != open_micros:
            yield f"account {balance.account} holds {balance.pending_debits_micros}, its open holds {open_micros}"
