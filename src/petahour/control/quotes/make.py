"""Make a quote: the work understood, estimated on each type, corrected, priced, put in time, and stored."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from petahour.catalog.catalog import Catalog
from petahour.control.authorize import Action, authorize
from petahour.control.context import Context
from petahour.control.keys import own_tenant
from petahour.control.quotes.bounds import require_sums
from petahour.control.quotes.offer import Prices, best_first, offer
from petahour.control.quotes.outcomes import ratios_of
from petahour.control.quotes.start import expected_starts
from petahour.control.quotes.throughput import measured_job
from petahour.control.quotes.training import about_training, training_estimate, training_of
from petahour.control.quotes.type_estimate import TypeEstimate
from petahour.control.quotes.work import Terms, about_hours, hours_estimate, kind_of, measured_work, size_of, terms_of
from petahour.control.tenants import known_tenant
from petahour.model.errors import ValidationError
from petahour.model.quotes import NotQuoted, Quote, QuoteRequest
from petahour.model.tenants import Caller


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimated:
    """Work by name and in words, with an estimate or a refusal for each type."""

    work: str
    about: Mapping[str, str]
    estimates: tuple[TypeEstimate, ...]
    refused: tuple[NotQuoted, ...] = ()


def make_quote(context: Context, caller: Caller, request: QuoteRequest) -> Quote:
    """A stored quote. Raises ValidationError naming the field, when nothing of what was asked can be quoted too."""
    tenant = own_tenant(caller, request.tenant)
    authorize(caller, Action.MAKE_QUOTE, tenant)
    kind = kind_of(request)
    terms = terms_of(request)
    if kind == "measured":
        seen = measured_job(context, caller, request.measured or "")
        work, about, estimate = measured_work(request, seen, terms.gang)
        estimated = Estimated(work=work, about=about, estimates=(estimate,))
    else:
        types, most = _types_here(context, request)
        estimated = estimate_types(
            context.catalog, request, terms, types, most, lambda work: _own_runs(context, tenant, work)
        )
    ratios = _own_runs(context, tenant, estimated.work)
    with context.store.read() as tx:
        currency = known_tenant(tx, tenant).currency
    now_ms = context.clock.now_ms()
    book = context.prices.in_force(currency, now_ms)
    placed = expected_starts(context, tenant, estimated.estimates, terms.tier, now_ms)
    posted = {} if book is None else context.prices.last_posted(book)
    prices = None if book is None else Prices(book=book, tenant=tenant, from_ms=now_ms, posted=posted)
    lines = [
        offer(
            estimate,
            ratios=ratios.get(estimate.type, ()),
            prices=prices,
            start=one.start,
            gang=one.gang,
            deadline_ms=terms.deadline_ms,
        )
        for estimate, one in zip(estimated.estimates, placed, strict=True)
    ]
    field, value = size_of(request)
    require_sums(lines, field=field, value=value)
    quote = Quote(
        id=context.ids.new("quote"),
        tenant=tenant,
        user=caller.user,
        created_ms=now_ms,
        valid_until_ms=now_ms + context.settings.quote_validity_ms,
        work=estimated.work,
        about=estimated.about,
        tier=terms.tier,
        objective=terms.objective,
        currency=None if book is None else currency,
        price_book=None if book is None else book.id,
        lines=tuple(best_first(lines, terms.objective, terms.tier)),
        deadline_ms=terms.deadline_ms,
        refused=estimated.refused,
    )
    with context.store.write() as tx:
        tx.quotes.add(quote)
    return quote


def estimate_types(
    catalog: Catalog,
    request: QuoteRequest,
    terms: Terms,
    types: Iterable[str],
    most: Mapping[str, int],
    own_runs: Callable[[str], Mapping[str, Sequence[float]]] = lambda work: {},
) -> Estimated:
    """What needs no control plane: the work on each of these types, ``most`` accelerators of each there are.

    ``own_runs``: of a work's name, by type, measured over modelled run times.
    A type that cannot be quoted is refused with its reason, where another one can. Raises ValidationError otherwise.
    """
    names = tuple(dict.fromkeys(types))
    for name in names:
        catalog.get(name)
    if not names:
        raise ValidationError(
            field="types", value=None, rule="at least one type of accelerator", remedy="Name them with --types."
        )
    training = training_of(request) if request.hours is None else None
    work, about = about_hours(request.hours or 0.0) if training is None else about_training(training, request)
    ratios = own_runs(work)
    estimates: list[TypeEstimate] = []
    errors: list[tuple[str, ValidationError]] = []
    for name in names:
        try:
            if training is None:
                watts = catalog.get(name).power_w
                estimates.append(hours_estimate(request.hours or 0.0, name, terms.gang or 1, watts))
            else:
                found = training_estimate(
                    catalog, training, name, terms, most=most.get(name, 0), ratios=ratios.get(name, ())
                )
                estimates.append(found)
        except ValidationError as error:
            errors.append((name, error))
    if not estimates:
        raise errors[0][1]
    refused = tuple(NotQuoted(type=name, reason=f"{error.rule}. {error.remedy}") for name, error in errors)
    return Estimated(work=work, about=about, estimates=tuple(estimates), refused=refused)


def _own_runs(context: Context, tenant: str, work: str) -> Mapping[str, Sequence[float]]:
    """By type of this fleet's: measured over modelled run times of the tenant's own fair runs of this work."""
    with context.store.read() as tx:
        ratios = ratios_of(tx, tenant, work, context.settings.quotes_compared)
    rehearsed = _rehearsed(context)
    return {name: seen for name, seen in ratios.items() if name not in rehearsed}


def _rehearsed(context: Context) -> set[str]:
    """Types of which this fleet has rehearsal nodes alone: what runs on accelerators says nothing of those."""
    nodes = list(context.live.nodes.values())
    return {node.type for node in nodes if node.rehearsal} - {node.type for node in nodes if not node.rehearsal}


def _types_here(context: Context, request: QuoteRequest) -> tuple[tuple[str, ...], dict[str, int]]:
    """The types to quote, and how many of each the fleet has in its largest pool.

    Without a wish those of the fleet; of these, types without figures are left out where a model is to be quoted.
    """
    pools: dict[tuple[str, str], int] = {}
    for node in list(context.live.nodes.values()):
        pools[node.type, node.pool] = pools.get((node.type, node.pool), 0) + node.accelerators
    most: dict[str, int] = {}
    for (name, _), count in pools.items():
        most[name] = max(count, most.get(name, 0))
    if request.types:
        return request.types, most
    known = tuple(sorted(most))
    quotable = tuple(name for name in known if context.catalog.get(name).quotable)
    return (known if request.hours is not None else quotable or known), most
