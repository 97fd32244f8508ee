"""Top-ups that need a second person: asked for by one, approved or refused by another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from petahour.billing.ledger import topup
from petahour.control.authorize import Action, authorize
from petahour.control.context import Context
from petahour.control.credit import add_credit, checked_topup, post_topup, repeated_topup, rule_for
from petahour.control.credit_accounts import prepaid
from petahour.model.credit import RequestState, TopupRequest, TopupRule
from petahour.model.errors import ConflictError, ForbiddenError, NotFoundError, ValidationError
from petahour.model.events import Event, EventKind
from petahour.model.money import Money
from petahour.model.tenants import Caller, Role
from petahour.model.usage import Balance, Transfer
from petahour.store.protocol import Transaction


def request_topup(
    context: Context, caller: Caller, tenant: str, *, amount: str, currency: str, key: str, note: str
) -> tuple[Transfer, Balance] | TopupRequest:
    """The top-up, where the caller may make it alone; otherwise the request that waits for a second person.

    A repeat of the key with the same amount gives the same answer; with another amount, ConflictError.
    """
    money = checked_topup(caller, amount=amount, currency=currency, key=key)
    with context.store.read() as tx:
        known = tx.credit.request(tenant, key)
        rule = rule_for(tx, caller, currency)
        posted = repeated_topup(tx, tenant, money, key)
    if known is not None:
        return _same(known, money)
    if rule is not None and money.micros > rule.most_micros and posted is None:
        raise _too_much(caller, rule)
    if posted is not None or rule is None or money.micros <= rule.alone_micros:
        return add_credit(context, caller, tenant, amount=amount, currency=currency, key=key, note=note)
    return _ask(context, caller, tenant, money=money, key=key, note=note, rule=rule)


def decide_topup(context: Context, caller: Caller, tenant: str, key: str, *, approve: bool) -> TopupRequest:
    """Approve or refuse what another person asked for. Approving adds the credit in the same transaction.

    Raises ForbiddenError for the person who asked, or above what the caller's role may add at all, and
    ConflictError on a request already decided otherwise.
    """
    authorize(caller, Action.ADD_CREDIT)
    now_ms = context.clock.now_ms()
    with context.store.write() as tx:
        request = tx.credit.request(tenant, key)
        if request is None:
            raise NotFoundError(
                field="key", value=key, rule="no such request", remedy='"petahour topups list" lists them.'
            )
        wanted = RequestState.APPROVED if approve else RequestState.REFUSED
        if request.state is not RequestState.WAITING:
            if request.state is wanted:
                return request
            raise ConflictError(
                field="key", value=key, rule=f"the request was {request.state} already", remedy="Make a new one."
            )
        if approve:
            _require_second(tx, caller, request)
        request = replace(request, state=wanted, decided_by=caller.user, decided_ms=now_ms)
        tx.credit.put_request(request)
        data: dict[str, object] = {"key": key, "state": wanted.value, "by": caller.user}
        tx.events.append(Event(kind=EventKind.TOPUP_DECIDED, at_ms=now_ms, tenant=tenant, data=data))
        if approve:
            money = Money(request.amount_micros, request.currency)
            post_topup(tx, topup(tenant=tenant, money=money, key=key, at_ms=now_ms, note=request.note))
    context.wake()
    return request


def topup_requests(context: Context, caller: Caller, *, waiting: bool) -> Sequence[TopupRequest]:
    """The requests, the newest first."""
    authorize(caller, Action.ADD_CREDIT)
    with context.store.read() as tx:
        return tx.credit.requests(state=RequestState.WAITING if waiting else None)


def set_topup_rule(
    context: Context, caller: Caller, *, currency: str, role: Role, most: str, alone: str
) -> TopupRule:
    """What a role may add at once at most, and up to which amount one person is enough."""
    authorize(caller, Action.MANAGE_OPERATOR)
    rule = TopupRule(
        currency=currency,
        role=role,
        most_micros=Money.parse(most, currency, field="most").micros,
        alone_micros=Money.parse(alone, currency, field="alone").micros,
    )
    if not role.of_operator:
        raise ValidationError(
            field="role", value=str(role), rule="a role that adds credit", remedy="Use operator or finance."
        )
    if not 0 <= rule.alone_micros <= rule.most_micros:
        raise ValidationError(
            field="alone", value=alone, rule="from 0 to most", remedy="Let the second person's limit be the lower."
        )
    with context.store.write() as tx:
        tx.credit.put_rule(rule)
    return rule


def topup_rules(context: Context, caller: Caller) -> Sequence[TopupRule]:
    """The rules; a role without one in a currency may add any amount alone."""
    authorize(caller, Action.ADD_CREDIT)
    with context.store.read() as tx:
        return tx.credit.rules()


def _ask(
    context: Context, caller: Caller, tenant: str, *, money: Money, key: str, note: str, rule: TopupRule
) -> TopupRequest | tuple[Transfer, Balance]:
    now_ms = context.clock.now_ms()
    with context.store.write() as tx:
        known = tx.credit.request(tenant, key)
        if known is not None:
            return _same(known, money)
        posted = repeated_topup(tx, tenant, money, key)
        if posted is not None:
            return posted, prepaid(tx, tenant, money.currency)
        request = TopupRequest(
            tenant=tenant,
            key=key,
            amount_micros=money.micros,
            currency=money.currency,
            note=note,
            requested_by=caller.user,
            requested_ms=now_ms,
        )
        tx.credit.put_request(request)
        data: dict[str, object] = {"key": key, "amount_micros": money.micros, "by": caller.user}
        data["alone_micros"] = rule.alone_micros
        tx.events.append(Event(kind=EventKind.TOPUP_REQUESTED, at_ms=now_ms, tenant=tenant, data=data))
    return request


def _same(known: TopupRequest, money: Money) -> TopupRequest:
    if (known.amount_micros, known.currency) != (money.micros, money.currency):
        raise ConflictError(
            field="key",
            value=known.key,
            rule="a key stands for one top-up; this one was requested with another amount",
            remedy="Use a new key for a new payment.",
        )
    return known


def _require_second(tx: Transaction, caller: Caller, request: TopupRequest) -> None:
    if caller.user == request.requested_by:
        raise ForbiddenError(
            field="user",
            value=caller.user,
            rule="the person who asked for a top-up does not approve it",
            remedy="Ask a second person of the operator.",
        )
    rule = rule_for(tx, caller, request.currency)
    if rule is not None and request.amount_micros > rule.most_micros:
        raise _too_much(caller, rule)


def _too_much(caller: Caller, rule: TopupRule) -> ForbiddenError:
    return ForbiddenError(
        field="amount",
        value=None,
        rule=f"{caller.role} adds at most {Money(rule.most_micros, rule.currency)} at once",
        remedy="Ask somebody with a role that may.",
    )
