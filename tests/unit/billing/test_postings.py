"""Money that people move: where it comes from and goes to, once per cause, and what is refused."""

from __future__ import annotations

import pytest

from petahour.billing.ledger import check_double_entry, replay, reversal
from petahour.billing.postings import COURSES, move
from petahour.model.errors import InvariantError, ValidationError
from petahour.model.money import Money
from petahour.model.usage import AccountKind, Transfer, TransferKind

TEN = Money(10_000_000, "CNY")


def made(kind: TransferKind, *, money: Money = TEN, key: str = "doc-1", side: AccountKind | None = None) -> Transfer:
    detail = "a100-80g-sxm/reserved" if kind is TransferKind.FEE else ""
    return move(kind, tenant="acme", money=money, key=key, at_ms=5, note="n", detail=detail, side=side)


@pytest.mark.parametrize(
    ("kind", "debit", "credit"),
    [
        (TransferKind.REFUND, "prepaid:acme:CNY", "cash:operator:CNY"),
        (TransferKind.GRANT, "credits-granted:operator:CNY", "prepaid:acme:CNY"),
        (TransferKind.SERVICE_CREDIT, "service-credits:operator:CNY", "prepaid:acme:CNY"),
        (TransferKind.PAYMENT, "cash:operator:CNY", "receivable:acme:CNY"),
        (TransferKind.WRITE_OFF, "bad-debt:operator:CNY", "receivable:acme:CNY"),
        (TransferKind.TAX, "receivable:acme:CNY", "tax:operator:CNY"),
        (TransferKind.ROUNDING, "receivable:acme:CNY", "rounding:operator:CNY"),
        (TransferKind.COMMITMENT, "prepaid:acme:CNY", "committed:acme:CNY"),
        (TransferKind.FEE, "committed:acme:CNY", "revenue:operator:CNY:a100-80g-sxm/reserved"),
    ],
)
def test_each_kind_has_its_course(kind: TransferKind, debit: str, credit: str) -> None:
    transfer = made(kind)
    assert (transfer.debit, transfer.credit, transfer.amount_micros) == (debit, credit, 10_000_000)
    assert transfer.id == f"trf-{kind.value}-acme:doc-1"


def test_every_course_is_tried_above_and_keeps_double_entry() -> None:
    transfers = [made(kind) for kind in COURSES]
    transfers += [reversal(transfer, at_ms=6, note="taken back") for transfer in transfers]
    balances = replay(transfers)
    check_double_entry(balances.values())
    assert {balance.posted_micros for balance in balances.values()} == {0}


def test_a_prepaid_invoice_takes_tax_and_rounding_from_credit() -> None:
    assert made(TransferKind.TAX, side=AccountKind.PREPAID).debit == "prepaid:acme:CNY"
    down = made(TransferKind.ROUNDING, money=Money(-3, "CNY"), side=AccountKind.PREPAID)
    assert (down.debit, down.credit, down.amount_micros) == ("rounding:operator:CNY", "prepaid:acme:CNY", 3)


@pytest.mark.parametrize("kind", [kind for kind in COURSES if kind is not TransferKind.ROUNDING])
def test_amounts_are_positive(kind: TransferKind) -> None:
    for micros in (0, -1):
        with pytest.raises(ValidationError, match="more than zero"):
            made(kind, money=Money(micros, "CNY"))


def test_what_is_no_movement_of_people_is_refused() -> None:
    for kind in (TransferKind.CHARGE, TransferKind.PENDING, TransferKind.TOPUP):
        with pytest.raises(InvariantError, match="known course"):
            made(kind)
    with pytest.raises(InvariantError, match="known course"):
        made(TransferKind.TAX, side=AccountKind.CASH)
    for key in ("", "k" * 129, "a\nb"):
        with pytest.raises(ValidationError, match="printable"):
            made(TransferKind.GRANT, key=key)
