"""Price books: publish them, list them, and ask what something costs when."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Query, status
from fastapi.responses import JSONResponse

from petahour.billing.book_file import describe_price_book
from petahour.control.publish import PricesAt, prices_at, publish, published_books
from petahour.control.spot import MAX_SHOWN, history
from petahour.server.caller import TheCaller, TheContext
from petahour.server.schemas import PricesBody
from petahour.store.terms_protocol import PublishedBook

router = APIRouter(prefix="/v1", tags=["prices"])


@router.get("/prices")
def prices(context: TheContext, caller: TheCaller) -> JSONResponse:
    """The price books; with the terms of single tenants for the operator's people."""
    whole = caller.role.of_operator
    return JSONResponse({"books": [_book(one, whole=whole) for one in published_books(context, caller)]})


@router.post("/prices", status_code=status.HTTP_201_CREATED)
def publish_prices(body: PricesBody, context: TheContext, caller: TheCaller) -> JSONResponse:
    """Publish the books of a TOML text; a book already stored as it is changes nothing."""
    return JSONResponse({"books": [book.id for book in publish(context, caller, body.text)]}, status.HTTP_201_CREATED)


@router.get("/prices/at")
def prices_then(
    context: TheContext,
    caller: TheCaller,
    at_ms: Annotated[int | None, Query(ge=0, le=2**53)] = None,
    tenant: str | None = None,
    book: str | None = None,
    currency: str | None = None,
) -> JSONResponse:
    """What everything costs at an instant: for a tenant (a tenant's key: itself), in a currency, or by a book."""
    found = prices_at(context, caller, at_ms=at_ms, tenant=tenant, book=book, currency=currency)
    return JSONResponse(_prices_at(found))


@router.get("/prices/spot")
def spot_prices(
    context: TheContext,
    caller: TheCaller,
    currency: str | None = None,
    type_name: Annotated[str | None, Query(alias="type")] = None,
    hours: Annotated[int, Query(ge=1, le=MAX_SHOWN)] = 24,
) -> JSONResponse:
    """The posted prices of spot in the last hours and the next one, with what each came from.

    A tenant sees those of its currency.
    """
    found = history(context, caller, currency=currency, type_name=type_name, hours=hours)
    return JSONResponse({"prices": [asdict(one) for one in found]})


def _book(published: PublishedBook, *, whole: bool) -> dict[str, object]:
    book = published.book
    prices = [
        {"type": name, "tier": tier.value, "micros": micros} for (name, tier), micros in sorted(book.prices.items())
    ]
    return {
        "id": book.id,
        "currency": book.currency,
        "effective_ms": book.effective_ms,
        "until_ms": book.until_ms,
        "utc_offset_ms": book.utc_offset_ms,
        "lent_share_ppm": book.lent_share_ppm,
        "published_ms": published.published_ms,
        "published_by": published.published_by,
        "prices": prices,
        "document": describe_price_book(book) if whole else None,
    }


def _prices_at(found: PricesAt) -> dict[str, object]:
    return {
        "book": found.book.id,
        "currency": found.book.currency,
        "at_ms": found.at_ms,
        "hour_of_week": found.hour_of_week,
        "utc_offset_ms": found.book.utc_offset_ms,
        "lent_share_ppm": found.book.lent_share_ppm,
        "tenant": found.tenant,
        "rows": [
            {"type": row.type, "tier": row.tier.value, "micros": row.micros, "banded": row.banded}
            for row in found.rows
        ],
    }
