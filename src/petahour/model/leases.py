"""The lease: which of several replicas of one control plane leads, and until when."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Replica:
    """One process of a control plane.

    ``site``: where its engines keep their state; only replicas of one site can take over each other's jobs.
    ``boot``: the boot of its host. ``url``: where it serves.
    """

    name: str
    site: str
    boot: str
    url: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Lease:
    """Who leads, as the database has it.

    ``epoch`` grows by one whenever somebody takes the lead, and is what the leader's writes are fenced by.
    ``left_ms``: how long the lease holds by the database's clock, zero or less when it has expired.
    ``taken_ms``: since when, by the same clock.
    """

    holder: Replica
    epoch: int
    taken_ms: int
    left_ms: int
