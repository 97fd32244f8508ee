"""Submit: authorised, validated, judged possible, stored once."""

from __future__ import annotations

from dataclasses import replace

from petahour.billing.book import PriceBook, unit_price
from petahour.control.arrays import parse_array, task_of
from petahour.control.authorize import Action, authorize
from petahour.control.await_jobs import require_awaited
from petahour.control.context import Context
from petahour.control.keys import own_tenant
from petahour.control.quotes.queries import promise_of, quote_for_job
from petahour.control.request import JobRequest
from petahour.control.settings import Settings
from petahour.control.specify import specify
from petahour.control.tenants import known_tenant
from petahour.control.transitions import submitted
from petahour.model.errors import ConflictError, ImpossibleError, NotFoundError, OverloadedError, ValidationError
from petahour.model.jobs import Job, JobSpec, JobState, Tier
from petahour.model.tenants import Caller
from petahour.scheduler.impossible import why_impossible
from petahour.store.protocol import Transaction

MAX_KEY_LENGTH = 200


def submit(context: Context, caller: Caller, request: JobRequest, *, key: str | None = None) -> tuple[Job, bool]:
    """The stored job, of an array the first one, and whether it is new. The same key with the same request gives it
    again.

    Raises ConflictError when the key was used for another request, ImpossibleError when no state of this
    fleet could ever run the job, NotFoundError when it waits for a job that the tenant has not, OverloadedError when
    the queue is full.
    """
    tenant = own_tenant(caller, request.tenant)
    authorize(caller, Action.SUBMIT_JOB, tenant)
    if key is not None and not 1 <= len(key) <= MAX_KEY_LENGTH:
        raise ValidationError(
            field="Idempotency-Key", value=key, rule=f"1 to {MAX_KEY_LENGTH} characters", remedy="Use a UUID."
        )
    digest = request.digest()
    with context.store.read() as tx:
        if key is not None and (known := _repeated(tx, tenant, key, digest)) is not None:
            return known, False
        # A tenant made a moment ago may not have come to the control loop yet.
        currency = context.live.currencies.get(tenant) or known_tenant(tx, tenant).currency
        project = tx.people.project(tenant, request.project)
    if project is None:
        raise NotFoundError(
            field="project",
            value=request.project,
            rule=f"a project of tenant {tenant}",
            remedy=f'Create it with "petahour tenant project create {tenant} {request.project}".',
        )
    now_ms = context.clock.now_ms()
    spec = specify(request, project, context.catalog, context.settings, currency=currency)
    specs = _each(context.ids.new("job"), spec, request.array, context.settings)
    if request.quote is not None:
        with context.store.read() as tx:
            quote = quote_for_job(tx, tenant, request.quote, [one for _, one in specs], now_ms)
        spec = replace(spec, promise=promise_of(quote, spec, context.settings.quote_promise_ms))
        specs = [(job_id, spec) for job_id, _ in specs]
    _require_possible(context, tenant, spec, currency, now_ms)
    _require_room(context, tenant, len(specs))
    with context.store.write() as tx:
        if key is not None and (known := _repeated(tx, tenant, key, digest)) is not None:
            return known, False
        over = require_awaited(tx, tenant, spec)
        if request.quote is not None:  # Another job may have taken it meanwhile.
            quote_for_job(tx, tenant, request.quote, [one for _, one in specs], now_ms)
        jobs = [
            Job(
                id=job_id,
                seq=0,
                tenant=tenant,
                project=project.name,
                user=caller.user,
                spec=one,
                state=JobState.QUEUED,
                submitted_ms=now_ms,
            )
            for job_id, one in specs
        ]
        stored = [
            tx.jobs.add(job, key=key if place == 0 else None, request_hash=digest) for place, job in enumerate(jobs)
        ]
        if request.quote is not None:
            tx.quotes.use(request.quote, stored[0].id)
        for job in stored:
            submitted(tx, job, over)
    context.wake()
    return stored[0], True


def _each(job_id: str, spec: JobSpec, array: str | None, settings: Settings) -> list[tuple[str, JobSpec]]:
    """Id and spec of every job of the request: of an array, its id and the index."""
    if array is None:
        return [(job_id, spec)]
    indexes = parse_array(array, settings)
    return [
        (f"{job_id}-{index}", task_of(spec, job_id, indexes, place)) for place, index in enumerate(indexes.indexes)
    ]


def _repeated(tx: Transaction, tenant: str, key: str, digest: str) -> Job | None:
    known = tx.jobs.submission(tenant, key)
    if known is None:
        return None
    if known.request_hash != digest:
        raise ConflictError(
            field="Idempotency-Key",
            value=key,
            rule=f"a key stands for one request; this one made {known.job} from another",
            remedy="Use a new key for a new request.",
        )
    return tx.jobs.get(known.job)


def _require_possible(context: Context, tenant: str, spec: JobSpec, currency: str, now_ms: int) -> None:
    live = context.live
    promised = _promised(context, tenant, now_ms)
    why = why_impossible(spec, live.nodes.values(), live.quotas, tenant, promised)
    if why is not None:
        raise why
    prices = context.prices
    book = prices.in_force(currency, now_ms) if spec.promise is None else prices.named(spec.promise.price_book)
    sold = () if book is None else tuple(name for name in spec.types if _sells(book, tenant, name, spec.tier, now_ms))
    if spec.tier is Tier.RESERVED:
        sold = tuple(name for name in spec.types if name in sold or name in promised)
    if not sold:
        raise ImpossibleError(
            field="types",
            value=list(spec.types),
            rule=f"at least one type has a {spec.tier} price in {currency}",
            remedy="Ask for a type or tier in the price list (petahour prices).",
        )
    # What fits on one type and is sold on another could still never run.
    why = why_impossible(replace(spec, types=sold), live.nodes.values(), live.quotas, tenant, promised)
    if why is not None:
        raise why


def _promised(context: Context, tenant: str, now_ms: int) -> dict[str, int]:
    """Accelerators by type of the tenant's reservations that are not over."""
    promised: dict[str, int] = {}
    for one in list(context.live.reservations.values()):
        if one.tenant == tenant and one.kept(now_ms):
            promised[one.type] = promised.get(one.type, 0) + one.accelerators
    return promised


def _sells(book: PriceBook, tenant: str, accelerator_type: str, tier: Tier, now_ms: int) -> bool:
    return unit_price(book, tenant=tenant, type=accelerator_type, tier=tier, at_ms=now_ms) is not None


def _require_room(context: Context, tenant: str, more: int) -> None:
    queued = context.live.queued
    settings = context.settings
    crowded = len(queued) + more > settings.tenant_queue_limit
    mine = sum(1 for job in list(queued.values()) if job.tenant == tenant) if crowded else 0
    if len(queued) + more > settings.queue_limit or mine + more > settings.tenant_queue_limit:
        raise OverloadedError(
            field="queue",
            value=len(queued),
            rule=f"at most {settings.tenant_queue_limit} queued jobs a tenant, {settings.queue_limit} in all",
            remedy="Submit again when some have started.",
        )
