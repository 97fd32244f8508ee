"""Publish price books, and say what something costs whom at an instant."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from petahour.billing.book import PriceBook, bands_of, hour_of_week
from petahour.billing.book_file import check_succession, describe_price_book, parse_price_books
from petahour.control.authorize import Action, authorize
from petahour.control.context import Context
from petahour.control.posted import Posted
from petahour.control.prices import PriceBooks
from petahour.control.spot import take_posted
from petahour.control.tenants import known_tenant
from petahour.model.errors import ConflictError, NotFoundError, ValidationError
from petahour.model.events import Event, EventKind
from petahour.model.jobs import Tier
from petahour.model.tenants import Caller
from petahour.model.time import to_iso
from petahour.store.protocol import Store, Transaction
from petahour.store.terms_protocol import PublishedBook

FROM_FILE = "price file"  # who published what the control plane was started with
MAX_TEXT = 1_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class PriceRow:
    """What an accelerator-hour of a pair costs at an instant; ``banded``: less beyond a volume."""

    type: str
    tier: Tier
    micros: int
    banded: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class PricesAt:
    """A book's prices at an instant, for one tenant or for everybody."""

    book: PriceBook
    at_ms: int
    hour_of_week: int
    tenant: str | None
    rows: tuple[PriceRow, ...]


def publish(context: Context, caller: Caller, text: str) -> tuple[PriceBook, ...]:
    """Store the books of a TOML text; those already stored as they are change nothing. All or none.

    Raises ValidationError on what is wrong with them or with what they make of the stored ones, ConflictError
    on a stored id with other contents.
    """
    authorize(caller, Action.PUBLISH_PRICES)
    if len(text) > MAX_TEXT:
        raise ValidationError(
            field="text", value=len(text), rule=f"at most {MAX_TEXT} characters", remedy="Publish book by book."
        )
    books = parse_price_books(text, known_types=context.catalog.types)
    now_ms = context.clock.now_ms()
    with context.store.write() as tx:
        stored = {book.id: book for book in tx.prices.books()}
        new = _new(stored, books)
        for book in new:
            _check_effect(stored.values(), book, now_ms)
            _check_tenants(tx, book)
        check_succession([*stored.values(), *new])
        for book in new:
            tx.prices.add(PublishedBook(book=book, published_ms=now_ms, published_by=caller.user))
            data: dict[str, object] = {"book": describe_price_book(book), "published_by": caller.user}
            tx.events.append(Event(kind=EventKind.PRICES_PUBLISHED, at_ms=now_ms, data=data))
    reload_books(context)
    context.wake()
    return books


def adopt_books(store: Store, read: PriceBooks, now_ms: int, *, sample: bool) -> PriceBooks:
    """The books a control plane starts with: those stored, and those of its price file that are new.

    Sample prices count only where nothing is stored. Raises ConflictError when the file changes a stored book.
    """
    with store.write() as tx:
        stored = {book.id: book for book in tx.prices.books()}
        new = [] if sample and stored else _new(stored, read.books)
        check_succession([*stored.values(), *new])
        for book in new:
            tx.prices.add(PublishedBook(book=book, published_ms=now_ms, published_by=FROM_FILE))
        return PriceBooks([*stored.values(), *new], Posted(tx.prices.posted()))


def reload_books(context: Context) -> None:
    """Take in books that another control plane on the same database published, and the spot prices it posted."""
    known = {book.id for book in context.prices.books}
    with context.store.read() as tx:
        books = () if tx.prices.ids() <= known else tx.prices.books()
    if books:
        context.prices.put(books)
    take_posted(context)


def take_in_books(context: Context) -> None:
    """The same, as soon as the log has told of them."""
    if context.live.books_now:
        context.live.books_now = False
        reload_books(context)


def published_books(context: Context, caller: Caller) -> Sequence[PublishedBook]:
    """Every book with its publisher. The terms of single tenants are for the operator's people."""
    authorize(caller, Action.READ_PRICES)
    with context.store.read() as tx:
        return tx.prices.every()


def prices_at(
    context: Context,
    caller: Caller,
    *,
    at_ms: int | None = None,
    tenant: str | None = None,
    book: str | None = None,
    currency: str | None = None,
) -> PricesAt:
    """What everything costs at an instant (now unless said): by a book, in a currency, or for a tenant."""
    tenant = tenant or caller.tenant
    authorize(caller, Action.READ_PRICES, tenant)
    at_ms = context.clock.now_ms() if at_ms is None else at_ms
    if tenant is not None:
        with context.store.read() as tx:
            currency = known_tenant(tx, tenant).currency
    found = _chosen(context, at_ms=at_ms, book=book, currency=currency)
    pairs = {*found.prices, *((of, tier) for who, of, tier in found.overrides if who == tenant)}
    rows = [
        PriceRow(
            type=name,
            tier=tier,
            micros=price,
            banded=bool(bands_of(found, tenant=tenant or "", type=name, tier=tier, at_ms=at_ms)),
        )
        for name, tier in sorted(pairs)
        if (price := context.prices.price(found, tenant=tenant or "", type=name, tier=tier, at_ms=at_ms)) is not None
    ]
    return PricesAt(
        book=found,
        at_ms=at_ms,
        hour_of_week=hour_of_week(at_ms, found.utc_offset_ms),
        tenant=tenant,
        rows=tuple(rows),
    )


def _chosen(context: Context, *, at_ms: int, book: str | None, currency: str | None) -> PriceBook:
    if book is not None:
        named = context.prices.named(book)
        if named is None:
            raise NotFoundError(
                field="book", value=book, rule="no such price book", remedy='"petahour price list" shows them.'
            )
        return named
    if currency is None:
        raise ValidationError(
            field="currency",
            value=None,
            rule="a book, a currency or a tenant",
            remedy="Name one of the three.",
        )
    in_force = context.prices.in_force(currency, at_ms)
    if in_force is None:
        raise NotFoundError(
            field="currency",
            value=currency,
            rule=f"no price book in {currency} is in force at {to_iso(at_ms)}",
            remedy='"petahour price list" shows which are.',
        )
    return in_force


def _new(stored: dict[str, PriceBook], books: Iterable[PriceBook]) -> list[PriceBook]:
    new = []
    for book in books:
        known = stored.get(book.id)
        if known is None:
            new.append(book)
        elif describe_price_book(known) != describe_price_book(book):
            raise ConflictError(
                field="price_book.id",
                value=book.id,
                rule="a published book never changes; this id has other contents",
                remedy="Give the changed book an id of its own and a later effective.",
            )
    return new


def _check_effect(stored: Iterable[PriceBook], book: PriceBook, now_ms: int) -> None:
    if book.effective_ms < now_ms and any(other.currency == book.currency for other in stored):
        raise ValidationError(
            field="price_book.effective",
            value=to_iso(book.effective_ms),
            rule=f"{book.id} takes effect no earlier than now, {to_iso(now_ms)}: what was used is priced already",
            remedy="Give a later instant.",
        )


def _check_tenants(tx: Transaction, book: PriceBook) -> None:
    named = {tenant for tenant, _, _ in book.overrides} | set(book.discounts)
    for name in sorted(named):
        tenant = tx.people.tenant(name)
        if tenant is None or tenant.currency != book.currency:
            raise ValidationError(
                field=f"price_book.{book.id}",
                value=name,
                rule=f"terms are of tenants that exist and buy in {book.currency}",
                remedy="Correct the tenant's name, or put its terms into a book of its currency.",
            )
