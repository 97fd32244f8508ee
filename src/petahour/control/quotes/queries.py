"""Queries: the quotes that a caller may see."""

from __future__ import annotations

from collections.abc import Sequence

from petahour.control.authorize import Action, authorize
from petahour.control.context import Context
from petahour.model.errors import ConflictError, NotFoundError
from petahour.model.jobs import JobSpec, Promise
from petahour.model.quotes import Quote
from petahour.model.tenants import Caller
from petahour.model.time import to_iso
from petahour.store.protocol import Transaction

PROMISED_TIMES = 2  # a run that takes more than twice the time quoted is not the one that was priced


def find_quote(context: Context, caller: Caller, quote_id: str) -> Quote:
    """One quote. Another tenant's does not exist."""
    with context.store.read() as tx:
        quote = tx.quotes.get(quote_id)
    if quote is None or not (caller.role.of_operator or caller.tenant == quote.tenant):
        raise _unknown(quote_id)
    authorize(caller, Action.READ_QUOTES, quote.tenant)
    return quote


def list_quotes(context: Context, caller: Caller, *, tenant: str | None, limit: int) -> Sequence[Quote]:
    """Quotes, newest first."""
    wanted = tenant if caller.role.of_operator else (tenant or caller.tenant)
    authorize(caller, Action.READ_QUOTES, wanted)
    with context.store.read() as tx:
        return tx.quotes.newest(tenant=wanted, limit=max(1, min(limit, context.settings.listing_limit)))


def quote_for_job(tx: Transaction, tenant: str, quote_id: str, specs: Sequence[JobSpec], now_ms: int) -> Quote:
    """The quote that a job of this spec may be submitted under.

    Raises NotFoundError when the tenant has no such quote, ConflictError when it is used or no longer valid, or the
    job is not what was quoted.
    """
    if len(specs) != 1:
        raise _conflict(f"{len(specs)} jobs", "one job under a quote", "Submit the array without it.")
    (spec,) = specs
    quote = tx.quotes.get(quote_id)
    if quote is None or quote.tenant != tenant:
        raise _unknown(quote_id)
    if quote.job is not None:
        raise _conflict(quote_id, f"one job under a quote, and {quote.job} is this one's", "Ask for a new quote.")
    if now_ms > quote.valid_until_ms:
        ended = to_iso(quote.valid_until_ms)
        raise _conflict(quote_id, f"a quote that is still valid; this one was until {ended}", "Ask for a new quote.")
    for name in spec.types:
        line = quote.line(name)
        if line is None:
            offered = ", ".join(line.type for line in quote.lines)
            raise _conflict(name, f"types of the quote: {offered}", "Ask for one of them, or for a new quote.")
        if spec.gang.exclusive:
            raise _conflict(str(spec.gang), "a gang that shares its nodes, as was quoted", "Leave exclusive out.")
        if line.accelerators != spec.gang.accelerators:
            raise _conflict(
                str(spec.gang),
                f"the gang of the quote: {line.accelerators} x {name}",
                "Ask for that gang, or for a new quote.",
            )
    return quote


def promise_of(quote: Quote, spec: JobSpec, most_ms: int) -> Promise | None:
    """The quote's prices, for as long as the job's walltime; without one, for the longest that was quoted.

    In no case for more than ``most_ms`` or PROMISED_TIMES the time expected, so that a small quote fixes no prices
    for long.
    """
    if quote.price_book is None:
        return None
    quoted = [line.run_ms for line in quote.lines if line.type in spec.types]
    wanted_ms = spec.walltime_ms or max(run_ms.high for run_ms in quoted)
    most_ms = min(most_ms, PROMISED_TIMES * max(run_ms.expected for run_ms in quoted))
    return Promise(quote=quote.id, price_book=quote.price_book, for_ms=min(wanted_ms, most_ms))


def _conflict(value: str, rule: str, remedy: str) -> ConflictError:
    return ConflictError(field="quote", value=value, rule=rule, remedy=remedy)


def _unknown(quote_id: str) -> NotFoundError:
    return NotFoundError(
        field="quote", value=quote_id, rule="no such quote", remedy='List quotes with "petahour quote list".'
    )
