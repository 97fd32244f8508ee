"""What lent seats earned a tenant in a month, of which the books may be open still: share by share."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain, islice

from petahour.control.authorize import Action, authorize
from petahour.control.context import Context
from petahour.control.tenants import known_tenant
from petahour.model.errors import ValidationError
from petahour.model.promises import LentShare
from petahour.model.tenants import Caller
from petahour.model.time import month_bounds
from petahour.model.usage import AccountKind, account_id

MOST_SHARES = 10_000
_SIDES = (AccountKind.PREPAID, AccountKind.RECEIVABLE, AccountKind.REHEARSAL_USE)


@dataclass(frozen=True, kw_only=True, slots=True)
class MonthShares:
    """``total_micros`` is what all ``count`` shares of the month come to, without rehearsals and what was taken back;
    ``shares`` are the latest of them.
    """

    currency: str
    total_micros: int
    count: int
    shares: tuple[LentShare, ...]


def shares_for(context: Context, caller: Caller, tenant: str, month: str, *, limit: int = 100) -> MonthShares:
    """The tenant's shares that are dated in the month, as its invoice has them. Raises ValidationError on a limit."""
    authorize(caller, Action.READ_MONEY, tenant)
    from_ms, to_ms = month_bounds(month)
    if not 1 <= limit <= MOST_SHARES:
        raise ValidationError(
            field="limit", value=limit, rule=f"from 1 to {MOST_SHARES:,}", remedy="Choose one in that range."
        )
    with context.store.read() as tx:
        currency = known_tenant(tx, tenant).currency
        own = [account_id(kind, currency, tenant) for kind in _SIDES]
        every = tx.reports.shared(own, from_ms=from_ms, to_ms=to_ms)
        latest = tuple(islice(every, limit))
        total_micros = count = 0
        for one in chain(latest, every):
            count += 1
            total_micros += 0 if one.rehearsal or one.taken_back else one.amount_micros
    return MonthShares(currency=currency, total_micros=total_micros, count=count, shares=latest)
