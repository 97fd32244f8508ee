"""Credit given away, made good and paid back: once a key, with a reason, and never more than is left."""

from __future__ import annotations

import pytest
from tests.integration.terms.plane import FINANCE, OPERATOR, Plane
from tests.integration.terms.test_prices import unfaulted

from petahour.billing.postings import move
from petahour.control.account_statement import statement_for
from petahour.control.audit import verify
from petahour.control.audit.refunds import REFUNDS
from petahour.control.corrections import reverse
from petahour.control.credit import balance_of
from petahour.control.credit_moves import move_credit
from petahour.control.topups import set_topup_rule
from petahour.model.errors import ConflictError, ForbiddenError, NotFoundError, PetahourError, ValidationError
from petahour.model.money import Money
from petahour.model.tenants import Caller, Role
from petahour.model.time import HOUR_MS, month_of
from petahour.model.usage import Transfer, TransferKind

GRANT, SERVICE, REFUND = TransferKind.GRANT, TransferKind.SERVICE_CREDIT, TransferKind.REFUND


def moved(
    plane: Plane,
    kind: TransferKind,
    amount: str,
    key: str = "k-1",
    note: str = "as agreed",
    *,
    tenant: str = "acme",
    currency: str = "CNY",
    caller: Caller = OPERATOR,
) -> Transfer:
    return move_credit(plane.context, caller, tenant, kind, amount=amount, currency=currency, key=key, note=note)[0]


def credit(plane: Plane) -> int:
    return balance_of(plane.context, OPERATOR, "acme").posted_micros


def test_each_goes_between_its_own_accounts_once_and_stands_on_the_statement(plane: Plane) -> None:
    plane.topup("100")
    for _ in range(2):
        grant, fault, back = (
            moved(plane, kind, amount) for kind, amount in ((GRANT, "50"), (SERVICE, "3.20"), (REFUND, "20"))
        )
    assert (grant.debit, grant.credit) == ("credits-granted:operator:CNY", "prepaid:acme:CNY")
    assert (fault.debit, fault.credit) == ("service-credits:operator:CNY", "prepaid:acme:CNY")
    assert (back.debit, back.credit) == ("prepaid:acme:CNY", "cash:operator:CNY")
    assert credit(plane) == 133_200_000
    account = statement_for(plane.context, OPERATOR, "acme", month_of(plane.clock.at_ms)).accounts[0]
    told = [(entry.kind, entry.note, entry.amount_micros) for entry in account.entries]
    assert told[1:] == [
        ("grant", "as agreed", 50_000_000),
        ("service-credit", "as agreed", 3_200_000),
        ("refund", "as agreed", -20_000_000),
    ]
    plane.submit()
    plane.step()
    unfaulted(plane)


def test_no_more_is_paid_back_than_is_neither_used_nor_held(plane: Plane) -> None:
    plane.topup("1")
    plane.submit()
    plane.step()
    moved(plane, REFUND, "0.003", "k-0")
    with pytest.raises(ConflictError, match="neither used, held nor owed") as caught:
        moved(plane, REFUND, "1")
    held = balance_of(plane.context, OPERATOR, "acme").pending_debits_micros
    assert held > 0
    assert f"Pay back at most {(997_000 - held) // 10_000 / 100:.2f} CNY, or stop" in str(caught.value)
    moved(plane, REFUND, f"{(997_000 - held) / 1e6:.6f}")
    assert balance_of(plane.context, OPERATOR, "acme").available_micros == 0
    unfaulted(plane)


def test_only_credit_that_was_paid_for_is_paid_back_and_granted_credit_is_used_first(plane: Plane) -> None:
    plane.topup("10")
    moved(plane, GRANT, "50")
    moved(plane, SERVICE, "3.20")
    with pytest.raises(ConflictError) as caught:
        moved(plane, REFUND, "10.01")
    said = str(caught.value)
    assert "at most the credit that was paid for and is neither used, held nor owed, 10.00 CNY" in said
    assert "acme has 63.20 CNY: 10.00 CNY paid for, 53.20 CNY granted, which is spent and never paid back" in said
    assert "Pay back at most 10.00 CNY." in said
    used = plane.submit()
    plane.step()
    plane.advance(2 * HOUR_MS, by_ms=HOUR_MS)
    plane.engine.end(f"alloc-{used.id[4:]}-1")
    plane.step()
    assert 0 < 63_200_000 - credit(plane) < 53_200_000
    moved(plane, REFUND, "10")
    with pytest.raises(ConflictError, match=r"Nothing can be paid back now\."):
        moved(plane, REFUND, "0.000001", "k-2")
    plane.topup("4", "pay-2")
    moved(plane, REFUND, "4", "k-3")
    unfaulted(plane)


def test_what_was_paid_back_is_not_taken_back_too(plane: Plane) -> None:
    plane.topup("10")
    moved(plane, GRANT, "50")
    back = moved(plane, REFUND, "4")
    with pytest.raises(ConflictError, match=r"of all top-ups 6\.00 CNY are left, this one brought 10\.00"):
        reverse(plane.context, OPERATOR, "trf-topup-acme:pay-1", note="the bank took it back")
    reverse(plane.context, OPERATOR, back.id, note="it never arrived")
    reverse(plane.context, OPERATOR, "trf-topup-acme:pay-1", note="the bank took it back")
    with pytest.raises(ConflictError, match="Nothing can be paid back"):
        moved(plane, REFUND, "1", "k-2")
    assert credit(plane) == 50_000_000
    unfaulted(plane)


def test_a_refund_of_granted_credit_is_found_until_it_is_taken_back(plane: Plane) -> None:
    plane.topup("10")
    moved(plane, GRANT, "50")
    wrong = move(REFUND, tenant="acme", money=Money(11_000_000, "CNY"), key="by-hand", at_ms=plane.clock.at_ms)
    with plane.context.store.write() as tx:
        tx.ledger.post(wrong)
    with plane.context.store.read() as tx:
        (found,) = (check for check in verify(tx) if check.name == REFUNDS)
    assert found.detail == f"{wrong.id} pays back 11000000, no more than 10000000 could be"
    reverse(plane.context, OPERATOR, wrong.id, note="it was a gift")
    with plane.context.store.read() as tx:
        (found,) = (check for check in verify(tx) if check.name == REFUNDS)
    assert found.ok


def test_what_was_given_by_mistake_is_taken_back(plane: Plane) -> None:
    for kind in (GRANT, SERVICE):
        made = moved(plane, kind, "5")
        reverse(plane.context, OPERATOR, made.id, note="the wrong tenant")
    assert credit(plane) == 0
    unfaulted(plane)


def test_what_is_wrong_is_refused_and_nothing_moves(plane: Plane) -> None:
    plane.topup("10")
    moved(plane, GRANT, "1")
    admin = Caller(key="k", user="ann", role=Role.TENANT_ADMIN, tenant="acme")
    wrong: list[tuple[type[PetahourError], dict[str, object]]] = [
        (ConflictError, {"amount": "2"}),
        (ConflictError, {"note": "another reason"}),
        (ValidationError, {"amount": "0", "key": "k-2"}),
        (ValidationError, {"amount": "-1", "key": "k-2"}),
        (ValidationError, {"amount": "NaN", "key": "k-2"}),
        (ValidationError, {"note": " ", "key": "k-2"}),
        (ValidationError, {"key": ""}),
        (ValidationError, {"currency": "USD", "key": "k-2"}),
        (ValidationError, {"kind": TransferKind.TOPUP, "key": "k-2"}),
        (NotFoundError, {"tenant": "nobody", "key": "k-2"}),
        (ForbiddenError, {"caller": admin, "key": "k-2"}),
    ]
    with plane.context.store.read() as tx:
        head = tx.ledger.head()
    for error, rest in wrong:
        with pytest.raises(error):
            moved(plane, **{"kind": GRANT, "amount": "1", **rest})  # type: ignore[arg-type]
    with plane.context.store.read() as tx:
        assert tx.ledger.head() == head


def test_what_a_role_may_add_alone_bounds_it(plane: Plane) -> None:
    set_topup_rule(plane.context, OPERATOR, currency="CNY", role=Role.FINANCE, most="100", alone="2")
    moved(plane, GRANT, "2", caller=FINANCE)
    with pytest.raises(ForbiddenError, match="alone"):
        moved(plane, GRANT, "2.01", "k-2", caller=FINANCE)
