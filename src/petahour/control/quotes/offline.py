"""Offline: a quote from the catalogue and a price book alone, without a control plane."""

from __future__ import annotations

from pathlib import Path

from petahour.billing.rate import PriceBook
from petahour.catalog.catalog import Catalog
from petahour.control.prices import load_price_books
from petahour.control.quotes.bounds import require_sums
from petahour.control.quotes.make import estimate_types
from petahour.control.quotes.offer import Prices, best_first, offer
from petahour.control.quotes.work import kind_of, size_of, terms_of
from petahour.model.errors import ValidationError
from petahour.model.quotes import Quote, QuoteRequest


def quote_offline(catalog: Catalog, request: QuoteRequest, book: PriceBook | None, now_ms: int) -> Quote:
    """A quote without id, expected start and own runs; without a book, without prices."""
    kind = kind_of(request)
    terms = terms_of(request)
    if request.tenant is not None:
        raise ValidationError(
            field="tenant",
            value=request.tenant,
            rule="without a control plane there are no tenants",
            remedy='Leave the tenant out, or run "petahour login" first and leave --offline and --prices out.',
        )
    if kind == "measured":
        raise ValidationError(
            field="measured",
            value=request.measured,
            rule="a control plane that ran the job",
            remedy='Run "petahour login" first, and leave --offline out.',
        )
    sold = () if book is None else tuple(sorted({name for name, _ in book.prices}))
    types = request.types or tuple(name for name in sold if catalog.get(name).quotable)
    estimated = estimate_types(catalog, request, terms, types, {})
    prices = None if book is None else Prices(book=book, tenant="", from_ms=now_ms)
    lines = [offer(estimate, prices=prices, deadline_ms=terms.deadline_ms) for estimate in estimated.estimates]
    field, value = size_of(request)
    require_sums(lines, field=field, value=value)
    return Quote(
        id="",
        tenant="",
        user="",
        created_ms=now_ms,
        valid_until_ms=now_ms,
        work=estimated.work,
        about=estimated.about,
        tier=terms.tier,
        objective=terms.objective,
        currency=None if book is None else book.currency,
        price_book=None if book is None else book.id,
        lines=tuple(best_first(lines, terms.objective, terms.tier)),
        deadline_ms=terms.deadline_ms,
        refused=estimated.refused,
    )


def chosen_book(catalog: Catalog, file: Path | None, currency: str | None, now_ms: int) -> PriceBook | None:
    """The book in force of a file; None without a file. Raises ValidationError when the currency has to be said."""
    if file is None:
        if currency is not None:
            raise ValidationError(
                field="currency", value=currency, rule="goes with a file of prices", remedy="Name it with --prices."
            )
        return None
    books = load_price_books(catalog, file)
    if currency is None and len(books.currencies) == 1:
        currency = books.currencies[0]
    book = None if currency is None else books.in_force(currency, now_ms)
    if book is None:
        raise ValidationError(
            field="currency",
            value=currency,
            rule=f"a currency of {file.name}: {', '.join(books.currencies)}",
            remedy="Choose one with --currency.",
        )
    return book
