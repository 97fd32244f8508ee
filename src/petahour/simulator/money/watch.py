"""Watch: prices of spot posted while a replay runs, and who is stopped as they pass his limit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from petahour.billing.book import PriceBook
from petahour.billing.spot import too_dear
from petahour.model.jobs import Tier
from petahour.model.time import HOUR_MS, hour_floor
from petahour.scheduler.ask import Running
from petahour.simulator.money.kept import Kept, above, book_then, price_then
from petahour.simulator.money.posted import Posted, Seen, first_price, following, occupancy
from petahour.simulator.money.prices import Prices
from petahour.simulator.trace import Trace

QUIET_HOURS = 7 * 24  # prices by the hour of the week have all been seen by then


@dataclass(frozen=True, kw_only=True, slots=True)
class _Held:
    book: PriceBook
    began_ms: int  # of the calendar, after the restart
    promised_ms: int


class Watch:
    """As the floor does hour by hour: the next hour's prices are posted, and work above its limit is stopped.

    ``seen``: the runs since an instant of the trace, as far as they are known.
    """

    def __init__(
        self, trace: Trace, prices: Prices, types: Sequence[str], seen: Callable[[int], Seen], restart_ms: int
    ) -> None:
        self._trace, self._prices, self._seen, self._restart_ms = trace, prices, seen, restart_ms
        self._first_ms = hour_floor(prices.begins_ms)
        self._hour = 0  # of the last tick, from the first hour on
        self._quiet = 0
        names = sorted({name for book in prices.books for name in book.spot} & set(types))
        self.posted = Posted(first_ms=self._first_ms, prices={})
        for name in names:
            before = first_price(prices, name, self._first_ms)
            second = following(prices, name, self._first_ms + HOUR_MS, before, (0, 0))
            self.posted.prices[name] = [before, second]
        self._kept = Kept(prices)
        self._held: dict[int, _Held] = {}

    @property
    def tick_ms(self) -> int:
        """When the next hour begins, in the trace's time."""
        return self._first_ms + (self._hour + 1) * HOUR_MS - self._prices.begins_ms

    def tick(self) -> None:
        """The hour begins: prices of the next one are posted, by what was held in the last."""
        self._hour += 1
        hour, moved = self._hour, False
        edges = np.array([self.tick_ms - 2 * HOUR_MS, self.tick_ms - HOUR_MS], np.int64)
        seen = self._seen(int(edges[0])) if self.posted.prices else None
        for name, known in self.posted.prices.items():
            assert seen is not None
            held_ams, capacity_ams = occupancy(seen, name, edges)
            at_ms = self._first_ms + (hour + 1) * HOUR_MS
            known.append(following(self._prices, name, at_ms, known[-1], (int(held_ams[0]), int(capacity_ams[0]))))
            moved |= known[-1] != known[-2]
        self._quiet = 0 if moved else self._quiet + 1

    def stir(self) -> None:
        """Something began or ended."""
        self._quiet = 0

    @property
    def settled(self) -> bool:
        """Whether no price will change any more where nothing runs."""
        now_ms = self._first_ms + self._hour * HOUR_MS
        return self._quiet > QUIET_HOURS and all(book.effective_ms <= now_ms for book in self._prices.books)

    def placed(self, running: Running, now_ms: int, *, again: bool) -> None:
        """A run with a limit begins; ``again``: it spends the time of a restart first."""
        number = running.job.seq
        job, at_ms = self._trace.jobs[number], self._prices.begins_ms + now_ms

        dear = partial(above, self.posted, job, running.type, at_ms)
        book, promised_ms = self._kept.placed(number, job.walltime_ms, now_ms, dear)
        if book is not None:
            began_ms = at_ms + (self._restart_ms if again else 0)
            self._held[number] = _Held(book=book, began_ms=began_ms, promised_ms=promised_ms)

    def ended(self, number: int, now_ms: int) -> None:
        """A run ends, which had a limit or none."""
        held = self._held.pop(number, None)
        if held is not None:
            self._kept.ran(number, self._prices.begins_ms + now_ms - held.began_ms)

    def too_dear(self, running: Running, now_ms: int) -> bool:
        """Whether the run's price is above its limit now. A stop takes no time here, so no grace period counts."""
        held = self._held.get(running.job.seq)
        if held is None or running.reservation:
            return False
        job, pair = self._trace.jobs[running.job.seq], (running.type, Tier.SPOT)

        def asked(at_ms: int) -> int:
            book = book_then(
                held.book,
                self._prices,
                pair,
                began_ms=held.began_ms,
                promised_ms=held.promised_ms,
                at_ms=at_ms,
            )
            return price_then(self.posted, job.tenant, running.type, at_ms, book) or 0

        at_ms = self._prices.begins_ms + now_ms
        return too_dear(asked, job.limit_micros, now_ms=at_ms, grace_ms=0) is not None
