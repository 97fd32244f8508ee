"""Use, as the control plane would have posted it: allocations metered, rated and posted in their hours."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from petahour.billing.ledger import topup
from petahour.control.metering import post_usages
from petahour.model.allocations import Allocation, AllocationState, EndKind
from petahour.model.invoices import BillingTerms, Party, Seller
from petahour.model.jobs import Job, JobSpec, JobState, Tier
from petahour.model.money import Money
from petahour.model.resources import Gang, Node, Slot
from petahour.model.tenants import Tenant
from petahour.model.time import to_ms
from petahour.store.protocol import Transaction


def at(month: int, day: int, hour: int = 0, minute: int = 0, second: int = 0, *, year: int = 2026) -> int:
    return to_ms(datetime(year, month, day, hour, minute, second, tzinfo=UTC))


class FixedClock:
    """A clock that stands where it is set."""

    def __init__(self, now_ms: int = at(4, 2)) -> None:
        self.now = now_ms

    def now_ms(self) -> int:
        return self.now


ACME = Tenant(name="acme", title="Acme Labs", currency="CNY", created_ms=at(1, 1))
SELLER = Seller(
    party=Party(
        name="Northern Compute Co., Ltd.",
        address=("88 Science Road", "Haidian, Beijing 100080"),
        country="China",
        tax_id="91110108MA01ABCD2X",
        bank=("Bank of the North, Haidian branch", "Account 6222 0000 1111 2222"),
    )
)


def terms(tenant: Tenant, rate_ppm: str = "0") -> BillingTerms:
    party = Party(name=tenant.title, address=("1 Lab Street", "Shanghai 200000"), country="China", tax_id="9131")
    return BillingTerms(tenant=tenant.name, party=party, tax_rate_ppm=int(rate_ppm), terms_days=14)


def add_tenant(tx: Transaction, tenant: Tenant, *, credit: str | None = None) -> None:
    tx.people.add_tenant(tenant)
    if credit is not None:
        money = Money.parse(credit, tenant.currency)
        tx.ledger.post(topup(tenant=tenant.name, money=money, key="wire-1", at_ms=tenant.created_ms))


def use(
    tx: Transaction,
    name: str,
    *times_ms: int | None,
    tenant: Tenant = ACME,
    project: str = "llm",
    type_name: str = "a100-80g-sxm",
    tier: Tier = Tier.ON_DEMAND,
    count: int = 1,
    price: str = "14.00",
    rehearsal: bool = False,
    postpaid: bool = False,
    until_ms: int | None = None,
) -> Allocation:
    """A gang from the first time to the second (None: it runs), metered to ``until_ms``."""
    start_ms, end_ms = times_ms
    assert start_ms is not None
    job = Job(
        id=f"job-{name}",
        seq=0,
        tenant=tenant.name,
        project=project,
        user="ann",
        spec=JobSpec(
            name=name,
            command=("true",),
            workdir="/srv",
            environment=(),
            gang=Gang(nodes=1, accelerators_per_node=count),
            types=(type_name,),
            tier=tier,
        ),
        state=JobState.RUNNING if end_ms is None else JobState.SUCCEEDED,
        submitted_ms=start_ms,
    )
    allocation = Allocation(
        id=f"alloc-{name}",
        job=job.id,
        tenant=tenant.name,
        project=project,
        attempt=1,
        type=type_name,
        tier=tier,
        engine="local",
        slots=(Slot(node=f"node-{name}", indexes=tuple(range(count))),),
        rehearsal=rehearsal,
        borrowed=False,
        price_book="worked",
        price_micros=Money.parse(price, tenant.currency).micros,
        currency=tenant.currency,
        postpaid=postpaid,
        state=AllocationState.RUNNING if end_ms is None else AllocationState.ENDED,
        placed_ms=start_ms,
        started_ms=start_ms,
        ended_ms=end_ms,
        end_kind=None if end_ms is None else EndKind.SUCCEEDED,
    )
    tx.fleet.put(Node(name=f"node-{name}", pool="p", engine="local", type=type_name, accelerators=count))
    tx.jobs.add(job, key=None, request_hash="")
    tx.allocations.add(allocation)
    if end_ms is not None:
        tx.allocations.release(allocation.id)
    edge_ms = until_ms if until_ms is not None else end_ms
    if edge_ms is None:
        return allocation
    return metered(tx, allocation, until_ms=edge_ms)


def metered(tx: Transaction, allocation: Allocation, *, until_ms: int) -> Allocation:
    """The allocation as it is stored once its use before an instant is posted."""
    done = post_usages(tx, [allocation], until_ms=until_ms, at_ms=until_ms)
    after = replace(allocation, metered_ms=done.metered_ms.get(allocation.id, allocation.metered_ms))
    tx.allocations.save(after)
    return after
