"""The price books in force, and the view of them that the scheduler is given."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from importlib.resources import files
from pathlib import Path

from petahour.billing.book import PriceBook, unit_price
from petahour.billing.book_file import parse_price_books
from petahour.catalog.catalog import Catalog
from petahour.control.posted import Posted
from petahour.model.errors import ValidationError
from petahour.model.jobs import Tier

EVER_MS = 2**62


class PriceBooks:
    """The stored price books, kept in memory: finding the price of a piece of use asks no database.

    Readers in other threads see the old books or the new ones, never some of each. ``posted`` are the spot prices
    that the books' rules have led to.
    """

    def __init__(self, books: Iterable[PriceBook] = (), posted: Posted | None = None) -> None:
        self.put(books)
        self.posted = Posted() if posted is None else posted

    def put(self, books: Iterable[PriceBook]) -> None:
        """From now on these are the books."""
        ordered = tuple(sorted(books, key=lambda book: (book.effective_ms, book.id)))
        by_currency: dict[str, list[PriceBook]] = {}
        for book in ordered:
            by_currency.setdefault(book.currency, []).append(book)
        self.books = ordered
        self._by_id = {book.id: book for book in ordered}
        self._effects = {
            currency: ([book.effective_ms for book in mine], mine) for currency, mine in by_currency.items()
        }

    def named(self, book_id: str) -> PriceBook | None:
        """The book of this id."""
        return self._by_id.get(book_id)

    def in_force(self, currency: str, at_ms: int) -> PriceBook | None:
        """The book of a currency at an instant, or None when nothing is sold in it."""
        effects, books = self._effects.get(currency, ([], []))
        position = bisect_right(effects, at_ms)
        book = books[position - 1] if position else None
        return book if book is not None and (book.until_ms is None or at_ms < book.until_ms) else None

    def price(
        self,
        book: PriceBook,
        *,
        tenant: str,
        type: str,  # noqa: A002 - the word of the glossary
        tier: Tier,
        at_ms: int,
        used_ams: int = 0,
    ) -> int | None:
        """``billing.book.unit_price`` with the posted price of the hour, where the tier has one."""
        posted = self.posted.at(book.currency, type, at_ms) if tier is Tier.SPOT and book.spot else None
        return unit_price(
            book, tenant=tenant, type=type, tier=tier, at_ms=at_ms, used_ams=used_ams, posted_micros=posted
        )

    def last_posted(self, book: PriceBook) -> dict[str, int]:
        """By type, the last posted price of spot, the next hour's as a rule; without one, those it begins with."""
        last = {name: self.posted.at(book.currency, name, EVER_MS) for name in book.spot}
        return {name: book.prices[name, Tier.SPOT] if price is None else price for name, price in last.items()}

    def is_newest(self, book: PriceBook) -> bool:
        """Whether no other known book of its currency takes effect after it."""
        _, books = self._effects.get(book.currency, ([], []))
        return bool(books) and books[-1].id == book.id

    def promised(
        self,
        book_id: str,
        tenant: str,
        accelerator_type: str,
        tier: Tier,
        *,
        now_ms: int,
        ahead_ms: int = 0,
    ) -> int | None:
        """What a book says that was promised, in force or not, as TenantPrices has it of the book in force."""
        book = self.named(book_id)
        instants = (now_ms, now_ms + ahead_ms)
        return None if book is None else self.highest(book, tenant, accelerator_type, tier, instants)

    def highest(
        self, book: PriceBook, tenant: str, accelerator_type: str, tier: Tier, instants: tuple[int, ...]
    ) -> int | None:
        """The highest price at these instants, None where the pair is not sold at the first of them."""
        found = [self.price(book, tenant=tenant, type=accelerator_type, tier=tier, at_ms=at_ms) for at_ms in instants]
        return None if found[0] is None else max(price for price in found if price is not None)

    @property
    def currencies(self) -> tuple[str, ...]:
        return tuple(sorted(self._effects))


class TenantPrices(Mapping[tuple[str, str, Tier], int]):
    """(tenant, type, tier) -> micro-units per accelerator-hour, looked up when asked and kept for the pass.

    Of the prices from now until ``ahead_ms`` later, at most an hour, the highest: a job is not placed that could
    not pay for the hour it runs into.
    """

    def __init__(self, prices: PriceBooks, currencies: Mapping[str, str], now_ms: int, ahead_ms: int = 0) -> None:
        self._prices, self._currencies = prices, currencies
        self._instants = (now_ms, now_ms + ahead_ms) if ahead_ms else (now_ms,)
        self._books = {currency: prices.in_force(currency, now_ms) for currency in set(currencies.values())}
        self._found: dict[tuple[str, str, Tier], int | None] = {}

    def __getitem__(self, key: tuple[str, str, Tier]) -> int:
        if key not in self._found:
            self._found[key] = self._look_up(*key)
        price = self._found[key]
        if price is None:
            raise KeyError(key)
        return price

    def _look_up(self, tenant: str, accelerator_type: str, tier: Tier) -> int | None:
        book = self._books.get(self._currencies.get(tenant, ""))
        return None if book is None else self._prices.highest(book, tenant, accelerator_type, tier, self._instants)

    def __iter__(self) -> Iterator[tuple[str, str, Tier]]:
        for tenant, currency in self._currencies.items():
            book = self._books.get(currency)
            for accelerator_type, tier in () if book is None else book.prices:
                yield tenant, accelerator_type, tier

    def __len__(self) -> int:
        return sum(1 for _ in self)


def load_price_books(catalog: Catalog, path: Path | None = None) -> PriceBooks:
    """The operator's price file, or the sample prices that come with Petahour.

    Raises ValidationError naming the file and the rule.
    """
    name = str(path) if path else "sample prices"
    try:
        text = (
            path.read_text("utf-8") if path else (files("petahour.control") / "sample_prices.toml").read_text("utf-8")
        )
        return PriceBooks(parse_price_books(text, known_types=catalog.types))
    except (OSError, UnicodeDecodeError) as error:
        raise ValidationError(
            field="prices", value=name, rule=f"a readable UTF-8 file ({error})", remedy="Mend the file."
        ) from None
