"""Promises: the part of the client that speaks of maintenance windows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from petahour.client.decode import decode
from petahour.client.transport import Transport, json_of, segment

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class Maintenance:
    """Nodes that are empty from ``from_ms`` to ``to_ms``; ``empties``: all that runs there is stopped."""

    id: str
    nodes: tuple[str, ...]
    from_ms: int
    to_ms: int
    reason: str
    empties: bool
    state: str
    created_ms: int
    created_by: str
    runs_on: tuple[str, ...] = ()


class Promises:
    """Methods of the client, one per route. Errors are those of the client; instants are ISO texts with a zone."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def plan_maintenance(
        self, nodes: Sequence[str], *, begins: str, to: str, reason: str = "", empties: bool = False
    ) -> Maintenance:
        """Keep nodes empty in a window; ``runs_on`` of the answer: jobs that may run into it."""
        body = {"nodes": list(nodes), "from": begins, "to": to, "reason": reason, "empties": empties}
        return self._post(Maintenance, "/v1/maintenance", body)

    def maintenance(self, *, past: bool = False) -> tuple[Maintenance, ...]:
        """The windows that are not over, the next first; with ``past`` the latest of all."""
        return self._list("/v1/maintenance", "windows", Maintenance, past=past)

    def cancel_maintenance(self, window: str) -> Maintenance:
        """Call a window off."""
        return self._post(Maintenance, f"/v1/maintenance/{segment('maintenance', window)}/cancel", {}, again=True)

    def _post(self, kind: type[T], path: str, body: dict[str, object], *, again: bool = False) -> T:
        return decode(kind, json_of(self._transport.send("POST", path, body=body, repeatable=again)))

    def _list(self, path: str, name: str, kind: type[T], *, past: bool) -> tuple[T, ...]:
        query = {"past": "true" if past else "false"}
        value = json_of(self._transport.send("GET", path, query=query, repeatable=True))
        items = decode(list, value.get(name) if isinstance(value, dict) else value, place=name)
        return tuple(decode(kind, item, place=f"{name}[{index}]") for index, item in enumerate(items))
