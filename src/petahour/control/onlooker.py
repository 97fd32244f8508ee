"""The onlooker: what a replica does that follows, so that it can say what its leader would."""

from __future__ import annotations

from petahour.control.conduct import conduct_of
from petahour.control.context import Context
from petahour.control.publish import take_in_books


class Onlooker:
    """Keeps the live state up to date, and makes passes of its own for the reasons why jobs wait.

    Its passes are stored nowhere and carried out by nobody; the state they leave traces in is dropped before this
    process leads.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._loads = -1
        self._next_ms = 0

    def look(self) -> None:
        """Take in what was committed. Raises UnavailableError when the database does not answer."""
        context, live = self._context, self._context.live
        changed = live.refresh(context.store, context.settings)
        take_in_books(context)
        if live.loads != self._loads:
            self._loads = live.loads
            self._conduct = conduct_of(live.policy, context.prices, context.settings)
        now_ms = context.clock.now_ms()
        if changed or now_ms >= self._next_ms:
            live.decide(now_ms, self._conduct)
            self._next_ms = now_ms + context.settings.decide_ms
