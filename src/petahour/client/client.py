"""The client: one method per route of the API, typed."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Collection, Iterator
from dataclasses import asdict
from types import TracebackType
from typing import TypeVar

import httpx

from petahour.client.books import Books
from petahour.client.chips import Chip
from petahour.client.decode import decode
from petahour.client.errors import WaitTimeoutError
from petahour.client.explanation import Explanation
from petahour.client.promises import Promises
from petahour.client.quotes import JobThroughput, Quote, QuoteAccuracy, QuoteRequest
from petahour.client.requests import JobRequest
from petahour.client.standing import Plane
from petahour.client.statements import (
    Audit,
    Balance,
    Conservation,
    Invoice,
    PriceBook,
    Reversal,
    Topup,
    TransferReceipt,
    Usage,
)
from petahour.client.terms import Terms
from petahour.client.transport import RETRIES, Query, Transport, json_of, segment
from petahour.client.types import (
    ApiKey,
    Event,
    Fleet,
    Job,
    JobDetail,
    JobPage,
    LogChunk,
    NewKey,
    Node,
    User,
    Whoami,
)
from petahour.model.errors import ValidationError
from petahour.model.jobs import FINAL_STATES
from petahour.model.tenants import Project, Quota, Tenant

T = TypeVar("T")
OPERATOR = "operator"  # stands for the operator's own people where a tenant is named


class Client:
    """A control plane at ``url``, spoken to with an API key. Use it as a context manager, or call ``close``.

    Every method raises ApiError when the control plane refuses, UnavailableError when it does not answer, and
    ProtocolError when the answer is not one of a control plane. Lost connections and 503 are tried again a few
    times where a repeat can do no harm; submitting is among those, as every submit carries an idempotency key.
    ``books`` has invoices and reports, ``terms`` what is agreed about prices and payment, ``promises`` what is due
    when, ``plane`` the control plane itself. ``in_process`` replaces the network, for data without a server."""

    def __init__(
        self,
        url: str,
        key: str,
        *,
        timeout_s: float = 30,
        retries: int = RETRIES,
        sleep: Callable[[float], None] = time.sleep,
        monotonic_s: Callable[[], float] = time.monotonic,
        in_process: httpx.BaseTransport | None = None,
    ) -> None:
        self.url = url
        self._sleep = sleep
        self._monotonic_s = monotonic_s
        self._transport = Transport(
            url, key, timeout_s=timeout_s, retries=retries, sleep=sleep, in_process=in_process
        )
        self.books = Books(self._transport)
        self.terms = Terms(self._transport)
        self.plane = Plane(self._transport)
        self.promises = Promises(self._transport)

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def version(self) -> str:
        """The control plane's version; needs no key."""
        return self._field("/healthz", "version", str)

    def whoami(self) -> Whoami:
        """The user, role and tenant behind the key."""
        return self._get(Whoami, "/v1/whoami")

    # Jobs

    def submit(self, request: JobRequest, *, idempotency_key: str | None = None) -> Job:
        """Submit a job. The same key with the same request gives the same job; a fresh key is made without one."""
        key = idempotency_key or str(uuid.uuid4())
        if not key.isascii() or not key.isprintable():
            raise ValidationError(
                field="idempotency_key", value=key, rule="printable ASCII", remedy="Use letters and digits."
            )
        headers = {"Idempotency-Key": key}
        answer = self._transport.send("POST", "/v1/jobs", body=request.body(), headers=headers, repeatable=True)
        return decode(Job, json_of(answer))

    def jobs(
        self,
        *,
        states: Collection[str] = (),
        tenant: str | None = None,
        project: str | None = None,
        array: str | None = None,
        limit: int = 100,
        before_seq: int | None = None,
    ) -> JobPage:
        """A page of jobs, newest first. ``limit`` is at most 1,000."""
        query: Query = {
            "state": tuple(states) or None,
            "tenant": tenant,
            "project": project,
            "array": array,
            "limit": limit,
            "before_seq": before_seq,
        }
        return self._get(JobPage, "/v1/jobs", query)

    def every_job(
        self,
        *,
        states: Collection[str] = (),
        tenant: str | None = None,
        project: str | None = None,
        array: str | None = None,
    ) -> Iterator[Job]:
        """All jobs, newest first, page by page."""
        before: int | None = None
        while True:
            page = self.jobs(
                states=states, tenant=tenant, project=project, array=array, limit=1_000, before_seq=before
            )
            yield from page.jobs
            before = page.next_before_seq
            if before is None:
                return

    def job(self, job_id: str) -> JobDetail:
        """A job with its attempts and history."""
        return self._get(JobDetail, f"/v1/jobs/{segment('job', job_id)}")

    def cancel(self, job_id: str) -> Job:
        """Ask a job to stop; a queued one is cancelled at once."""
        return self._post(Job, f"/v1/jobs/{segment('job', job_id)}/cancel", {}, repeatable=True)

    def log(
        self, job_id: str, *, rank: int = 0, attempt: int | None = None, offset: int = 0, limit_bytes: int = 65_536
    ) -> LogChunk:
        """Output of one rank of an attempt (the latest without one), from a byte offset."""
        query: Query = {"rank": rank, "attempt": attempt, "offset": offset, "limit": limit_bytes}
        return self._get(LogChunk, f"/v1/jobs/{segment('job', job_id)}/logs", query)

    def follow_log(
        self, job_id: str, rank: int = 0, *, attempt: int | None = None, poll_s: float = 0.5
    ) -> Iterator[LogChunk]:
        """Output as it comes, until the job is over; without an attempt, through all attempts from the present one.

        With an attempt: until that attempt's output is complete. Only chunks that carry text are given.
        """
        current, offset = attempt, 0
        while True:
            chunk = self.log(job_id, rank=rank, attempt=current, offset=offset)
            if chunk.text:
                yield chunk
                current, offset = chunk.attempt or None, chunk.next_offset
                continue
            if chunk.complete and attempt is not None:
                return
            if chunk.complete:
                job = self.job(job_id)
                if job.attempt > chunk.attempt:
                    current, offset = chunk.attempt + 1, 0
                    continue
                if job.state in FINAL_STATES:
                    return
            self._sleep(poll_s)

    def wait(
        self,
        job_id: str,
        states: Collection[str] = FINAL_STATES,
        *,
        timeout_s: float | None = None,
        poll_s: float = 0.5,
    ) -> JobDetail:
        """The job once it is in one of ``states``, or in a final state, from which it could not get there.

        Raises WaitTimeoutError after ``timeout_s``; None waits without end.
        """
        begun_s = self._monotonic_s()
        while True:
            job = self.job(job_id)
            if job.state in states or job.state in FINAL_STATES:
                return job
            if timeout_s is not None and self._monotonic_s() - begun_s >= timeout_s:
                raise WaitTimeoutError(
                    field="state",
                    value=job.state,
                    rule=f"{job_id} reaches {' or '.join(sorted(states))} within {timeout_s:g} s",
                    remedy=f'Look at why with "petahour describe {job_id}".',
                )
            self._sleep(poll_s)

    # Quotes

    def quote(self, request: QuoteRequest) -> Quote:
        """Quote a piece of work on each type of accelerator; the quote is kept."""
        return self._post(Quote, "/v1/quotes", request.body())

    def quotes(self, *, tenant: str | None = None, limit: int = 50) -> tuple[Quote, ...]:
        """Quotes, newest first."""
        return self._list("/v1/quotes", "quotes", Quote, {"tenant": tenant, "limit": limit})

    def quote_detail(self, quote_id: str) -> Quote:
        """One quote."""
        return self._get(Quote, f"/v1/quotes/{segment('quote', quote_id)}")

    def quote_accuracy(self, *, tenant: str | None = None) -> QuoteAccuracy:
        """What the jobs submitted under quotes took and were charged, beside what was quoted."""
        return self._get(QuoteAccuracy, "/v1/quote-accuracy", {"tenant": tenant})

    def throughput(self, job_id: str) -> JobThroughput:
        """What a finished job's output tells of its throughput: the calibration of a quote."""
        return self._get(JobThroughput, f"/v1/jobs/{segment('job', job_id)}/throughput")

    # Fleet and catalogue

    def fleet(self) -> Fleet:
        """Every node with the holder of each accelerator."""
        return self._get(Fleet, "/v1/fleet")

    def drain(self, node: str, *, reason: str = "") -> Node:
        """Place nothing new on a node; what runs there runs on."""
        path = f"/v1/fleet/nodes/{segment('node', node)}/drain"
        return self._post(Node, path, {"reason": reason}, repeatable=True)

    def resume(self, node: str) -> Node:
        """Take new work on a drained node again."""
        return self._post(Node, f"/v1/fleet/nodes/{segment('node', node)}/resume", {}, repeatable=True)

    def catalog(self) -> tuple[Chip, ...]:
        """Every type of accelerator that the control plane knows, with its operator's own figures."""
        return self._list("/v1/catalog", "types", Chip)

    def catalog_type(self, name: str) -> Chip:
        """One type of accelerator."""
        return self._get(Chip, f"/v1/catalog/{segment('type', name)}")

    # Tenants and what belongs to them

    def tenants(self) -> tuple[Tenant, ...]:
        """The tenants one may see."""
        return self._list("/v1/tenants", "tenants", Tenant)

    def tenant(self, name: str) -> Tenant:
        """One tenant."""
        return self._get(Tenant, _tenant(name))

    def create_tenant(self, name: str, *, currency: str, title: str = "") -> Tenant:
        """A new tenant with a ``default`` project. Its currency never changes."""
        return self._post(Tenant, "/v1/tenants", {"name": name, "title": title, "currency": currency})

    def projects(self, tenant: str) -> tuple[Project, ...]:
        """A tenant's projects."""
        return self._list(f"{_tenant(tenant)}/projects", "projects", Project)

    def create_project(self, tenant: str, name: str, *, directory: str | None = None) -> Project:
        """A new project; only an operator chooses its directory."""
        where = {} if directory is None else {"directory": directory}
        return self._post(Project, f"{_tenant(tenant)}/projects", {"name": name, **where})

    def users(self, tenant: str) -> tuple[User, ...]:
        """A tenant's users; of the tenant ``operator``, the operator's own people."""
        return self._list(_users(tenant), "users", User)

    def create_user(self, tenant: str, name: str, *, role: str) -> User:
        """A new user of a tenant (or of ``operator``)."""
        return self._post(User, _users(tenant), {"name": name, "role": role})

    def keys(self) -> tuple[ApiKey, ...]:
        """The API keys one may see, without secrets."""
        return self._list("/v1/keys", "keys", ApiKey)

    def create_key(self, user: str, *, tenant: str | None = None, label: str = "") -> NewKey:
        """A new key of a user; its text is in this answer only."""
        whose = {} if tenant in (None, OPERATOR) else {"tenant": tenant}
        return self._post(NewKey, "/v1/keys", {"user": user, "label": label, **whose})

    def revoke_key(self, key_id: str) -> None:
        """From now on the key opens nothing."""
        self._transport.send("DELETE", f"/v1/keys/{segment('key', key_id)}", repeatable=True)

    def quotas(self, tenant: str) -> tuple[Quota, ...]:
        """A tenant's nominal shares."""
        return self._list(f"{_tenant(tenant)}/quotas", "quotas", Quota)

    def set_quota(self, quota: Quota) -> Quota:
        """Set a tenant's nominal share of a type, and what goes with it."""
        said = {name: value for name, value in asdict(quota).items() if value not in (None, "")}
        path = f"{_tenant(str(said.pop('tenant')))}/quotas/{segment('type', str(said.pop('type')))}"
        return decode(Quota, json_of(self._transport.send("PUT", path, body=said, repeatable=True)))

    # Money

    def topup(self, tenant: str, amount: str, *, currency: str, key: str | None = None, note: str = "") -> Topup:
        """Credit a tenant with a decimal amount. One key (the payment's reference) is one credit."""
        body: dict[str, object] = {
            "amount": amount,
            "currency": currency,
            "key": key or str(uuid.uuid4()),
            "note": note,
        }
        return self._post(Topup, f"{_tenant(tenant)}/topups", body, repeatable=True)

    def balance(self, tenant: str) -> Balance:
        """A tenant's prepaid credit."""
        return self._get(Balance, f"{_tenant(tenant)}/balance")

    def usage(self, tenant: str, *, month: str | None = None) -> Usage:
        """Usage records of a month (``YYYY-MM``; the present one without it)."""
        return self._get(Usage, f"{_tenant(tenant)}/usage", {"month": month})

    def invoice(self, tenant: str, month: str) -> Invoice:
        """The invoice of a month; of one not over yet, as it stands."""
        return self._get(Invoice, f"{_tenant(tenant)}/invoices/{segment('month', month)}")

    def invoice_text(self, tenant: str, month: str) -> str:
        """The invoice as plain text of aligned columns."""
        path = f"{_tenant(tenant)}/invoices/{segment('month', month)}"
        return self._transport.send("GET", path, query={"format": "text"}, repeatable=True).text

    def prices(self) -> tuple[PriceBook, ...]:
        """The price books."""
        return self._list("/v1/prices", "books", PriceBook)

    def conservation(self, *, from_ms: int | None = None, to_ms: int | None = None) -> Conservation:
        """Where every accelerator-millisecond of a window went."""
        return self._get(Conservation, "/v1/conservation", {"from_ms": from_ms, "to_ms": to_ms})

    def audit(self) -> Audit:
        """Everything recomputed from the raw events and transfers."""
        return self._get(Audit, "/v1/audit")

    def reverse(self, transfer: str, *, note: str) -> TransferReceipt:
        """Take a transfer back in full, and say why. Doing it twice is one reversal."""
        path = f"/v1/transfers/{segment('transfer', transfer)}/reversal"
        return self._post(Reversal, path, {"note": note}, repeatable=True).transfer

    def explain(self, subject: str, name: str) -> Explanation:
        """From a ``charge``, ``transfer``, ``usage`` record or ``allocation`` of this id to its job."""
        return self._get(Explanation, f"/v1/explain/{segment('subject', subject)}/{segment(subject, name)}")

    def events(self, *, after: int = 0, limit: int = 500) -> tuple[Event, ...]:
        """The raw event log in commit order, from a sequence number on."""
        return self._list("/v1/events", "events", Event, {"after": after, "limit": limit})

    def _get(self, kind: type[T], path: str, query: Query | None = None) -> T:
        return decode(kind, json_of(self._transport.send("GET", path, query=query, repeatable=True)))

    def _post(self, kind: type[T], path: str, body: dict[str, object], *, repeatable: bool = False) -> T:
        return decode(kind, json_of(self._transport.send("POST", path, body=body, repeatable=repeatable)))

    def _field(self, path: str, name: str, kind: type[T], query: Query | None = None) -> T:
        value = json_of(self._transport.send("GET", path, query=query, repeatable=True))
        return decode(kind, value.get(name) if isinstance(value, dict) else value, place=name)

    def _list(self, path: str, name: str, kind: type[T], query: Query | None = None) -> tuple[T, ...]:
        items = self._field(path, name, list, query)
        return tuple(decode(kind, item, place=f"{name}[{index}]") for index, item in enumerate(items))


def _tenant(name: str) -> str:
    return f"/v1/tenants/{segment('tenant', name)}"


def _users(tenant: str) -> str:
    return "/v1/users" if tenant == OPERATOR else f"{_tenant(tenant)}/users"
