"""Standing: what this replica of the control plane is, and who leads."""

from __future__ import annotations

from dataclasses import dataclass

from petahour.control.authorize import Action, authorize
from petahour.control.context import Context
from petahour.model.leases import Lease
from petahour.model.tenants import Caller


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """``replica``: the name of the one that answers, empty where there are no replicas. ``leads``: whether it does.

    ``seen``: the number of the last event that it took in, ``last``: of the last in the log. ``lease``: None where
    there are no replicas, or nobody has led yet.
    """

    replica: str
    leads: bool
    seen: int
    last: int
    lease: Lease | None


def standing(context: Context, caller: Caller) -> Standing:
    """For the operator's people."""
    authorize(caller, Action.READ_STANDING)
    leadership = context.leadership
    with context.store.read() as tx:
        lease, last = tx.lease.current(), tx.events.last_seq()
    return Standing(
        replica=leadership.name,
        leads=leadership.epoch is not None and leadership.holds(),
        seen=context.live.seen,
        last=last,
        lease=lease if leadership.name else None,
    )
