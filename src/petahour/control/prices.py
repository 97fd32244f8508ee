"""The price books in force, and the view of them that the scheduler is given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path

from petahour.billing.rate import PriceBook, book_at, parse_price_books, price_of
from petahour.catalog.catalog import Catalog
from petahour.model.errors import ValidationError
from petahour.model.jobs import Tier


class PriceBooks:
    """Price books by currency; of each currency the newest that is in effect counts."""

    def __init__(self, books: tuple[PriceBook, ...]) -> None:
        self.books = books

    def in_force(self, currency: str, at_ms: int) -> PriceBook | None:
        """The book of a currency at an instant, or None when nothing is sold in it."""
        return book_at(self.books, currency=currency, at_ms=at_ms)

    @property
    def currencies(self) -> tuple[str, ...]:
        return tuple(sorted({book.currency for book in self.books}))


class TenantPrices(Mapping[tuple[str, str, Tier], int]):
    """(tenant, type, tier) -> micro-units per accelerator-hour, looked up when asked."""

    def __init__(self, prices: PriceBooks, currencies: Mapping[str, str], now_ms: int) -> None:
        self._currencies = currencies
        self._books = {currency: prices.in_force(currency, now_ms) for currency in set(currencies.values())}

    def __getitem__(self, key: tuple[str, str, Tier]) -> int:
        tenant, accelerator_type, tier = key
        book = self._books.get(self._currencies.get(tenant, ""))
        price = None if book is None else price_of(book, accelerator_type, tier)
        if price is None:
            raise KeyError(key)
        return price

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
