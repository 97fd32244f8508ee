"""Prices of a replay: the books of one currency, and the instant of the calendar at which the trace begins."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from petahour.billing.book import PriceBook, book_at, price_of, unit_price
from petahour.billing.book_file import parse_price_books
from petahour.model.errors import ValidationError
from petahour.model.jobs import Tier
from petahour.model.money import MAX_MICROS
from petahour.model.time import DAY_MS, HOUR_MS
from petahour.scheduler.funds import Money
from petahour.simulator.trace import Trace

MONDAY_MS = 4 * DAY_MS  # the first one after the epoch, at midnight
WEEK_MS = 7 * DAY_MS


@dataclass(frozen=True, kw_only=True, slots=True)
class Prices:
    """Price books of one currency. ``begins_ms`` is when the trace's time 0 is, in milliseconds since the epoch."""

    books: tuple[PriceBook, ...]
    begins_ms: int
    currency: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "currency", self.books[0].currency)

    def book_at(self, at_ms: int) -> PriceBook | None:
        """The book in force at an instant of the trace."""
        return book_at(self.books, currency=self.currency, at_ms=self.begins_ms + at_ms)

    def money(self, tenants: Iterable[str], now: PricesNow) -> Money:
        """What the scheduler is told: the prices of the moment, and tenants that can pay anything."""
        return Money(
            available_micros=dict.fromkeys(tenants, MAX_MICROS),
            prices_micros=now,
            hold_interval_ms=HOUR_MS,
        )

    def check(self, trace: Trace, types: Iterable[str], *, preemptible: bool) -> None:
        """Raises ValidationError for a type of the fleet that a job could run on and that has no price."""
        here = tuple(types)
        book = self.book_at(0)
        asked = {(Tier.SPOT if preemptible else job.tier, job.types) for job in trace.jobs}
        pairs = {(name, tier) for tier, names in asked for name in (names or here) if name in here}
        for name, tier in sorted(pairs):
            if book is None or price_of(book, name, tier) is None:
                raise ValidationError(
                    field="price_book",
                    value=f"{name}/{tier}",
                    rule="a price for every type and tier that jobs of the trace could run on, when it begins",
                    remedy=f"Add it to the book in {self.currency}, or begin later.",
                )


class PricesNow(Mapping[tuple[str, str, Tier], int]):
    """(tenant, type, tier) -> micro-units per accelerator-hour at ``now_ms``, which a replay moves on.

    Where prices of spot are ``posted``, the higher of this hour's and the next one's, as on the floor.
    """

    def __init__(self, prices: Prices, posted: Callable[[str, int], int | None] | None = None) -> None:
        self._prices, self._posted = prices, posted
        self._book, self._now_ms = prices.book_at(0), 0

    def move(self, now_ms: int) -> None:
        """It is this instant of the trace now."""
        self._book, self._now_ms = self._prices.book_at(now_ms), now_ms

    def __getitem__(self, key: tuple[str, str, Tier]) -> int:
        at_ms = self._prices.begins_ms + self._now_ms
        book = self._book
        price = None if book is None else self._at(book, key, at_ms)
        if price is None:
            raise KeyError(key)
        if book is None or self._posted is None:
            return price
        return max(price, self._at(book, key, at_ms + HOUR_MS) or 0)

    def _at(self, book: PriceBook, key: tuple[str, str, Tier], at_ms: int) -> int | None:
        tenant, name, tier = key
        posted = self._posted(name, at_ms) if self._posted is not None and tier is Tier.SPOT else None
        return unit_price(book, tenant=tenant, type=name, tier=tier, at_ms=at_ms, posted_micros=posted)

    def __iter__(self) -> Iterator[tuple[str, str, Tier]]:
        return iter(() if self._book is None else [("", name, tier) for name, tier in self._book.prices])

    def __len__(self) -> int:
        return 0 if self._book is None else len(self._book.prices)


def read_prices(path: Path, *, currency: str | None = None, begins_ms: int | None = None) -> Prices:
    """The books of a price file in one currency; all of them when it has but one.

    Without ``begins_ms`` the trace begins on the first Monday, 00:00 UTC, by which all the books have taken effect.
    Raises ValidationError naming the file and the rule.
    """
    try:
        books = parse_price_books(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ValidationError(
            field="price_book",
            value=str(path),
            rule=f"a readable UTF-8 file ({error})",
            remedy="Check the path and the file.",
        ) from None
    except ValidationError as error:
        raise ValidationError(
            field=f"{path.name}: {error.field}", value=error.value, rule=error.rule, remedy=error.remedy
        ) from None
    known = sorted({book.currency for book in books})
    if currency is None and len(known) > 1:
        raise ValidationError(
            field="currency",
            value=None,
            rule=f"the file has books in {', '.join(known)}, and a replay is in one",
            remedy=f"Choose one with --currency {known[0]}.",
        )
    if currency is not None and currency not in known:
        raise ValidationError(
            field="currency",
            value=currency,
            rule=f"one of {', '.join(known)}",
            remedy="Choose one that the file has.",
        )
    chosen = tuple(book for book in books if book.currency == (currency or known[0]))
    if begins_ms is None:
        latest_ms = max(book.effective_ms for book in chosen)
        begins_ms = MONDAY_MS - (MONDAY_MS - latest_ms) // WEEK_MS * WEEK_MS
    return Prices(books=chosen, begins_ms=begins_ms)
