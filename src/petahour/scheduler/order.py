"""Order: who is decided first."""

from __future__ import annotations

from collections.abc import Sequence

from petahour.model.jobs import Job, Tier
from petahour.scheduler.quota import Share, share_of
from petahour.scheduler.snapshot import Snapshot

_RANK = {Tier.RESERVED: 0, Tier.ON_DEMAND: 1, Tier.SPOT: 2}


def in_order(snapshot: Snapshot) -> Sequence[Job]:
    """Tier, then work within its tenant's nominal quota before borrowers, then priority, then age."""
    seen: dict[tuple[str, str, Tier, int], bool] = {}

    def within(job: Job) -> bool:
        key = (job.tenant, job.spec.types[0], job.spec.tier, job.spec.gang.accelerators)
        if key not in seen:
            seen[key] = (
                share_of(
                    snapshot.quotas,
                    snapshot.used,
                    tenant=job.tenant,
                    type_name=job.spec.types[0],
                    tier=job.spec.tier,
                    accelerators=job.spec.gang.accelerators,
                )
                is Share.NOMINAL
            )
        return seen[key]

    return sorted(
        snapshot.queued, key=lambda job: (_RANK[job.spec.tier], not within(job), -job.spec.priority, job.seq)
    )
