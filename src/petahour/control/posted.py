"""Posted: the spot prices that are in force, hour by hour, in memory."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable

from petahour.model.prices import SpotPrice


class Posted:
    """What was posted of each currency and type. A price holds from its hour on until the next one does.

    Readers in other threads see a price or do not see it yet.
    """

    def __init__(self, prices: Iterable[SpotPrice] = ()) -> None:
        self._by_pair: dict[tuple[str, str], list[tuple[int, int]]] = {}
        for one in prices:
            self.put(one.currency, one.type, one.hour_ms, one.price_micros)

    def put(self, currency: str, type: str, hour_ms: int, micros: int) -> None:  # noqa: A002 - the glossary's word
        """Prices come in order of their hours; one of an hour that was told before changes nothing."""
        if hour_ms > self.until_ms(currency, type):
            self._by_pair.setdefault((currency, type), []).append((hour_ms, micros))

    def at(self, currency: str, type: str, at_ms: int) -> int | None:  # noqa: A002
        """Micro-units per accelerator-hour; None before the first price is posted."""
        known = self._by_pair.get((currency, type), [])
        place = bisect_right(known, (at_ms, 2**62))
        return known[place - 1][1] if place else None

    def until_ms(self, currency: str, type: str) -> int:  # noqa: A002
        """The last hour that has a price of its own; -1 without any."""
        known = self._by_pair.get((currency, type))
        return known[-1][0] if known else -1

    @property
    def latest_ms(self) -> int:
        """The last hour of all; -1 without any."""
        return max((known[-1][0] for known in self._by_pair.values()), default=-1)
