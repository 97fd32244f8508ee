"""Which replica of a control plane answers, and who leads."""

from __future__ import annotations

from dataclasses import dataclass

from petahour.client.decode import decode
from petahour.client.transport import Transport, json_of


@dataclass(frozen=True, kw_only=True, slots=True)
class Replica:
    """One process of a control plane: its name, where it serves, and where its engines keep their state."""

    name: str
    url: str
    site: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Lease:
    """Who leads; ``epoch`` grows with each takeover. ``left_ms``: for how long it holds, by the database's clock."""

    holder: Replica
    epoch: int
    taken_ms: int
    left_ms: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """``replica``: the name of the one that answers, empty where there are no replicas; ``leads``: whether it does.

    ``seen`` and ``last``: the last event that it has taken in, and the last of the log.
    """

    replica: str
    leads: bool
    seen: int
    last: int
    lease: Lease | None = None


class Plane:
    """What is about the control plane itself."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def standing(self) -> Standing:
        """Which replica answers, and who leads."""
        answer = self._transport.send("GET", "/v1/standing", repeatable=True)
        return decode(Standing, json_of(answer))
