"""Who may top up, how much, and with whose approval."""

from __future__ import annotations

import pytest
from tests.integration.terms.plane import FINANCE, OPERATOR, Plane
from tests.integration.terms.test_prices import unfaulted

from petahour.control.credit import add_credit, balance_of
from petahour.control.topups import decide_topup, request_topup, set_topup_rule, topup_requests, topup_rules
from petahour.model.credit import RequestState, TopupRequest
from petahour.model.errors import ConflictError, ForbiddenError, NotFoundError, ValidationError
from petahour.model.tenants import Caller, Role

OTHER = Caller(key="k3", user="fay", role=Role.FINANCE, tenant=None)


def ask(plane: Plane, amount: str, key: str, caller: Caller = FINANCE) -> object:
    return request_topup(plane.context, caller, "acme", amount=amount, currency="CNY", key=key, note="wire")


@pytest.fixture
def ruled(plane: Plane) -> Plane:
    set_topup_rule(plane.context, OPERATOR, currency="CNY", role=Role.FINANCE, most="1000", alone="100")
    return plane


def credit(plane: Plane) -> int:
    return balance_of(plane.context, OPERATOR, "acme").posted_micros


def test_small_sums_alone_larger_ones_with_a_second_person(ruled: Plane) -> None:
    assert isinstance(ask(ruled, "100", "small"), tuple)
    asked = ask(ruled, "100.01", "large")
    assert isinstance(asked, TopupRequest)
    assert ask(ruled, "100.01", "large") == asked
    assert credit(ruled) == 100_000_000
    with pytest.raises(ForbiddenError, match="does not approve it"):
        decide_topup(ruled.context, FINANCE, "acme", "large", approve=True)
    done = decide_topup(ruled.context, OTHER, "acme", "large", approve=True)
    assert decide_topup(ruled.context, OTHER, "acme", "large", approve=True) == done
    assert (done.state, done.decided_by) == (RequestState.APPROVED, "fay")
    assert credit(ruled) == 200_010_000
    assert ask(ruled, "100.01", "large") == done
    assert credit(ruled) == 200_010_000
    with pytest.raises(ConflictError):
        decide_topup(ruled.context, OTHER, "acme", "large", approve=False)
    unfaulted(ruled)


def test_what_is_refused_adds_nothing_and_uses_up_its_key(ruled: Plane) -> None:
    ask(ruled, "500", "wire-7")
    assert [item.key for item in topup_requests(ruled.context, OTHER, waiting=True)] == ["wire-7"]
    decide_topup(ruled.context, FINANCE, "acme", "wire-7", approve=False)
    again = ask(ruled, "500", "wire-7")
    assert isinstance(again, TopupRequest)
    assert again.state is RequestState.REFUSED
    assert credit(ruled) == 0
    assert topup_requests(ruled.context, OTHER, waiting=True) == []


def test_one_key_is_one_sum(ruled: Plane) -> None:
    ask(ruled, "500", "wire-8")
    ask(ruled, "50", "wire-9")
    for amount, key in (("501", "wire-8"), ("51", "wire-9"), ("200", "wire-9")):
        with pytest.raises(ConflictError):
            ask(ruled, amount, key)
    assert isinstance(ask(ruled, "50", "wire-9"), tuple)
    assert credit(ruled) == 50_000_000


@pytest.mark.parametrize(
    ("amount", "rule"),
    [
        ("1.234", "whole minor units of CNY"),
        ("0.001", "whole minor units of CNY"),
        ("0", "more than zero"),
        ("-1", "more than zero"),
        ("NaN", "finite"),
    ],
)
def test_nobody_pays_such_a_sum(ruled: Plane, amount: str, rule: str) -> None:
    with pytest.raises(ValidationError, match=rule):
        ask(ruled, amount, "wire-9")
    with pytest.raises(ValidationError, match=rule):
        add_credit(ruled.context, OPERATOR, "acme", amount=amount, currency="CNY", key="wire-9", note="")
    assert credit(ruled) == 0
    assert topup_requests(ruled.context, OTHER, waiting=True) == []


def test_limits_hold_for_all_ways_in(ruled: Plane) -> None:
    with pytest.raises(ForbiddenError, match="at most 1,000"):
        ask(ruled, "1000.01", "vast")
    with pytest.raises(ForbiddenError, match="alone"):
        add_credit(ruled.context, FINANCE, "acme", amount="101", currency="CNY", key="x", note="")
    set_topup_rule(ruled.context, OPERATOR, currency="CNY", role=Role.OPERATOR, most="200", alone="0")
    ask(ruled, "300", "wire-3")
    with pytest.raises(ForbiddenError, match="at most 200"):
        decide_topup(ruled.context, OPERATOR, "acme", "wire-3", approve=True)
    with pytest.raises(NotFoundError):
        decide_topup(ruled.context, OTHER, "acme", "wire-4", approve=True)
    assert {rule.role for rule in topup_rules(ruled.context, FINANCE)} == {Role.FINANCE, Role.OPERATOR}
    assert credit(ruled) == 0


@pytest.mark.parametrize(("most", "alone"), [("10", "11"), ("-1", "-2"), ("NaN", "0"), ("1", "0.0000001")])
def test_a_wrong_rule_is_refused(plane: Plane, most: str, alone: str) -> None:
    with pytest.raises(ValidationError):
        set_topup_rule(plane.context, OPERATOR, currency="CNY", role=Role.FINANCE, most=most, alone=alone)
    with pytest.raises(ForbiddenError):
        set_topup_rule(plane.context, FINANCE, currency="CNY", role=Role.FINANCE, most="2", alone="1")
    with pytest.raises(ValidationError):
        set_topup_rule(plane.context, OPERATOR, currency="CNY", role=Role.MEMBER, most="2", alone="1")
