"""Quota: a tenant's nominal share, and borrowing beyond it."""

from __future__ import annotations

from enum import StrEnum

from petahour.model.jobs import Tier
from petahour.model.tenants import Quota


class Share(StrEnum):
    """How a gang would lie in its tenant's quota."""

    NOMINAL = "nominal"
    BORROWED = "borrowed"
    REFUSED = "refused"


def share_of(quota: Quota | None, used: int, *, tier: Tier, accelerators: int) -> Share:
    """Within the nominal share, borrowed beyond it, or refused. Reserved work never borrows.

    ``used``: accelerators of the type the tenant holds. Without a quota the nominal share is zero and borrowing
    has no bound.
    """
    if quota is None:
        return Share.REFUSED if tier is Tier.RESERVED else Share.BORROWED
    total = used + accelerators
    if total <= quota.nominal:
        return Share.NOMINAL
    limit = quota.borrowing_limit
    if tier is Tier.RESERVED or (limit is not None and total > quota.nominal + limit):
        return Share.REFUSED
    return Share.BORROWED
