"""Quota: a tenant's nominal share, and borrowing beyond it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
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


WITHOUT_QUOTA = {tier: share_of(None, 0, tier=tier, accelerators=0) for tier in Tier}


class Kept:
    """What is kept from borrowers, in one pass. Where all quotas lend without bound in one cohort, it is nothing."""

    def __init__(self, quotas: Mapping[tuple[str, str], Quota]) -> None:
        self._owners: dict[str, list[Quota]] = {}
        if any(quota.cohort or quota.lending_limit is not None for quota in quotas.values()):
            for quota in quotas.values():
                self._owners.setdefault(quota.type, []).append(quota)

    def __bool__(self) -> bool:
        return bool(self._owners)

    def idle(self, tenant: str, type_name: str, used: Callable[[str], int]) -> int:
        """Idle accelerators of the type that this tenant may not borrow: what owners of its cohort do not lend, and
        all of other cohorts' shares. ``used``: how many of the type a tenant holds.
        """
        owners = self._owners.get(type_name, ())
        cohort = next((quota.cohort for quota in owners if quota.tenant == tenant), "")
        kept = 0
        for quota in owners:
            if quota.tenant != tenant:
                idle = max(0, quota.nominal - used(quota.tenant))
                lent = 0 if quota.cohort != cohort else idle if quota.lending_limit is None else quota.lending_limit
                kept += max(0, idle - lent)
        return kept
