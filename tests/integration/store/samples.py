"""One of every noun, with every field set to something that a careless column would lose."""

from __future__ import annotations

from petahour.model.allocations import Allocation, AllocationState, EndKind, StopCause
from petahour.model.jobs import Job, JobSpec, JobState, Tier
from petahour.model.quotes import Choice, ExpectedStart, Interval, NotQuoted, Objective, Quote, QuoteLine, TierPrice
from petahour.model.resources import Gang, Node, NodeState, Slot
from petahour.model.tenants import ApiKey, Project, Quota, Role, Tenant, User
from petahour.model.time import HOUR_MS
from petahour.model.usage import Charge, PricedUsage, RatedUsage, Transfer, TransferKind, UsageRecord, WaiveReason
from petahour.store.protocol import Transaction

HOUR = 500_000 * HOUR_MS

TENANT = Tenant(name="acme", title="Acme Labs, 北京", currency="CNY", created_ms=HOUR)
PROJECT = Project(tenant="acme", name="default", directory="/srv/acme", created_ms=HOUR)
USER = User(name="ann", tenant="acme", role=Role.TENANT_ADMIN, created_ms=HOUR)
OPERATOR = User(name="operator", tenant=None, role=Role.OPERATOR, created_ms=HOUR)
KEY = ApiKey(
    id="key-1", user="ann", tenant="acme", role=Role.MEMBER, secret_hash="0" * 64, label="laptop", created_ms=HOUR
)
QUOTA = Quota(tenant="acme", type="cpu", nominal=8, borrowing_limit=4)
NODE = Node(
    name="n1",
    pool="cpu",
    engine="local",
    type="cpu",
    accelerators=4,
    switch="leaf-1",
    rehearsal=True,
    devices=(0, 2, 3, 5),
    state=NodeState.DRAINING,
    reason="fan",
)
SPEC = JobSpec(
    name="train",
    command=("python", "train.py", "--text", "ü\n"),
    workdir="/srv/acme/work",
    environment=(("A", "1"), ("B", "=")),
    gang=Gang(nodes=2, accelerators_per_node=2),
    types=("cpu", "a10"),
    tier=Tier.SPOT,
    priority=-3,
    walltime_ms=90_000,
    retries=2,
    checkpoint_dir="/srv/acme/work/ckpt",
    preemption_signal="SIGUSR1",
    grace_ms=5_000,
    memory_bytes=2**33,
)


def job(number: int = 1, state: JobState = JobState.QUEUED) -> Job:
    return Job(
        id=f"job-{number}",
        seq=0,
        tenant="acme",
        project="default",
        user="ann",
        spec=SPEC,
        state=state,
        submitted_ms=HOUR + number,
        attempt=1,
        failures=2,
        preemptions=3,
        losses=4,
        exit_code=5,
        message="said: ö",
    )


def allocation(number: int = 1, *, indexes: tuple[int, ...] = (0, 1)) -> Allocation:
    return Allocation(
        id=f"alloc-{number}",
        job="job-1",
        tenant="acme",
        project="default",
        attempt=number,
        type="cpu",
        tier=Tier.SPOT,
        engine="local",
        slots=(Slot(node="n1", indexes=indexes),),
        rehearsal=True,
        borrowed=True,
        price_book="book-1",
        price_micros=2**40,
        currency="CNY",
        state=AllocationState.STARTING,
        placed_ms=HOUR,
    )


ENDED = {
    "state": AllocationState.ENDED,
    "started_ms": HOUR + 1,
    "ended_ms": HOUR + 9,
    "metered_ms": HOUR + 9,
    "stop_cause": StopCause.PREEMPTED,
    "stop_for": "job-2",
    "stop_ms": HOUR + 7,
    "preempted_ms": HOUR + 6,
    "end_kind": EndKind.STOPPED,
    "hold_transfer": "trf-hold-alloc-1-0",
}
USAGE = UsageRecord(
    id=f"use-alloc-1-{HOUR}",
    allocation="alloc-1",
    job="job-1",
    tenant="acme",
    project="default",
    type="cpu",
    tier=Tier.SPOT,
    rehearsal=True,
    hour_ms=HOUR,
    start_ms=HOUR,
    end_ms=HOUR + 10,
    accelerators=2,
    billed_ams=0,
    waived_ams=20,
    waive_reason=WaiveReason.LOST,
)
CHARGE = Charge(
    id=f"chg-alloc-1-{HOUR}",
    usage=f"use-alloc-1-{HOUR}",
    tenant="acme",
    project="default",
    type="cpu",
    tier=Tier.SPOT,
    rehearsal=True,
    price_book="book-1",
    price_micros=2**40,
    amount_micros=0,
    currency="CNY",
    hour_ms=HOUR,
)
PRICED = PricedUsage(USAGE, price_book="book-1", price_micros=2**40, currency="CNY", postpaid=False)
RATED = RatedUsage(USAGE, CHARGE, None)


def transfer(name: str, kind: TransferKind, micros: int, *, pending: str = "") -> Transfer:
    return Transfer(
        id=name,
        kind=kind,
        debit="cash:operator:CNY",
        credit="prepaid:acme:CNY",
        amount_micros=micros,
        currency="CNY",
        at_ms=HOUR,
        cause="pay",
        pending=pending,
        note="n",
    )


def people_and_node(tx: Transaction) -> None:
    """What jobs and allocations refer to."""
    tx.people.add_tenant(TENANT)
    tx.people.add_project(PROJECT)
    tx.fleet.put(NODE)


QUOTE = Quote(
    id="quote-1",
    tenant="acme",
    user="ann",
    created_ms=HOUR,
    valid_until_ms=HOUR + 1,
    work="llama-2-7b/4096",
    about={"tokens": "2T tokens, 北京"},
    tier=Tier.SPOT,
    objective=Objective.LEAST_ENERGY,
    currency="CNY",
    lines=(
        QuoteLine(
            type="a10",
            accelerators=4,
            plan="TP 4",
            run_ms=Interval(low=1, expected=2, high=3),
            modelled_ms=4,
            correction=1.25,
            own_runs=2,
            step_ms=0.5,
            petaflop_hours=6.5,
            energy_kwh=7.5,
            memory_part=0.875,
            limit="network",
            nodes=2,
            per_node=2,
            prices=(
                TierPrice(tier=Tier.RESERVED, price_micros=8, total_micros=Interval(low=9, expected=10, high=2**60)),
            ),
            start=ExpectedStart(earliest_ms=HOUR, median_ms=HOUR + 1, latest_ms=None, never=None),
            choices=(Choice(accelerators=8, plan="TP 8", run_ms=11),),
            details={"goodput": 0.5},
            notes=("a note",),
            late=True,
        ),
        QuoteLine(type="cpu", accelerators=1, plan="", run_ms=Interval(low=1, expected=1, high=1), modelled_ms=1),
    ),
    refused=(NotQuoted(type="br106", reason="no figures"),),
    deadline_ms=HOUR,
)
