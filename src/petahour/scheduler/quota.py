"""Quota: a tenant's nominal share, and borrowing beyond it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from petahour.model.jobs import Tier
from petahour.model.tenants import Quota


class Share(StrEnum):
    """How a gang would lie in its tenant's quota."""

    NOMINAL = "nominal"
    BORROWED = "borrowed"
    REFUSED = "refused"


def share_of(
    quotas: Mapping[tuple[str, str], Quota],
    used: Mapping[tuple[str, str], int],
    *,
    tenant: str,
    type_name: str,
    tier: Tier,
    accelerators: int,
) -> Share:
    """Within the nominal share, borrowed beyond it, or refused. Reserved work never borrows.

    Without a quota the nominal share is zero and borrowing has no bound.
    """
    quota = quotas.get((tenant, type_name))
    nominal = quota.nominal if quota else 0
    limit = quota.borrowing_limit if quota else None
    total = used.get((tenant, type_name), 0) + accelerators
    if total <= nominal:
        return Share.NOMINAL
    if tier is Tier.RESERVED or (limit is not None and total > nominal + limit):
        return Share.REFUSED
    return Share.BORROWED
