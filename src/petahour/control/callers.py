"""Callers checked a moment ago."""

from __future__ import annotations

from petahour.model.tenants import Caller


class KnownCallers:
    """Callers whose keys were checked less than a second ago, so that a busy client costs no look-up a request.

    Revoking a key here forgets it at once; another control plane on the same database takes up to a second.
    """

    KEEP_MS = 1_000
    MOST = 10_000

    def __init__(self) -> None:
        self._known: dict[str, tuple[Caller, int]] = {}

    def get(self, secret_hash: str, now_ms: int) -> Caller | None:
        """The caller, when its key was checked a moment ago."""
        caller, until_ms = self._known.get(secret_hash, (None, 0))
        return caller if now_ms < until_ms else None

    def put(self, secret_hash: str, caller: Caller, now_ms: int) -> None:
        """Remember a caller whose key is valid now."""
        if len(self._known) >= self.MOST:
            self._known = {}
        self._known[secret_hash] = (caller, now_ms + self.KEEP_MS)

    def forget(self) -> None:
        """Check every key again."""
        self._known = {}
