"""The gateway of the lease. Part of every transaction."""

from __future__ import annotations

from typing import Protocol

from petahour.model.leases import Lease, Replica


class Leases(Protocol):
    """The one lease of a control plane. Every instant in it is the database's, so that no host's clock counts."""

    def current(self) -> Lease | None:
        """The lease, expired or not; None where nobody has ever led."""

    def take(self, replica: Replica, *, ttl_ms: int, at_once: bool = False) -> int | None:
        """The new epoch, or None while another's lease holds; ``at_once``: even then.

        Only in a serialised transaction: whoever writes under an older epoch has committed, or finds this one.
        """

    def renew(self, epoch: int, *, ttl_ms: int) -> bool:
        """Hold for so long from now. False when the epoch is another one: somebody else leads."""

    def release(self, epoch: int) -> None:
        """Let it expire now, if it is still of this epoch."""

    def require(self, epoch: int) -> None:
        """Raises NotLeaderError unless the lease is still of this epoch."""


class LeaseTransaction(Protocol):
    """What a transaction has of it."""

    @property
    def lease(self) -> Leases: ...
