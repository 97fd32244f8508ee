"""Names of jobs count where they tell how long jobs run, and nowhere else."""

from __future__ import annotations

from random import Random

from petahour.model.jobs import Tier
from petahour.model.resources import Gang
from petahour.model.time import DAY_MS, HOUR_MS, MINUTE_MS
from petahour.scheduler.ask import Ask, Waiting
from petahour.scheduler.expect import Expectation
from petahour.scheduler.policies import POLICIES
from petahour.scheduler.state import State
from petahour.simulator.fleet import plain_nodes

ASKS = State(POLICIES["petahour"], plain_nodes(1, 8)).asks
MEANT = {"evaluate": 10 * MINUTE_MS, "pretrain": 2 * DAY_MS}


def ask_of(tenant: str) -> Ask:
    return ASKS.of(tenant=tenant, tier=Tier.ON_DEMAND, types=("any",), gang=Gang(nodes=1, accelerators_per_node=8))


def job_of(expectation: Expectation, tenant: str, name: str, number: int, submitted_ms: int) -> Waiting:
    ask = ask_of(tenant)
    sweep = expectation.sweeps.join(ask, submitted_ms)
    return Waiting(f"{tenant}-{number}", number, ask, submitted_ms, name=name, sweep=sweep, place=sweep.size)


def taught(expectation: Expectation, tenant: str, *, meant: bool, ends: int = 60, after: int = 0) -> Expectation:
    """Jobs that ran for what their names say, within a tenth, or for one of the same lengths at random."""
    drawn = Random(7)
    for number in range(after, after + ends):
        name = drawn.choice(sorted(MEANT))
        length_ms = MEANT[name if meant else drawn.choice(sorted(MEANT))]
        job = job_of(expectation, tenant, name, number, number * DAY_MS)
        expectation.learn(job, round(length_ms * drawn.uniform(0.9, 1.1)))
    return expectation


def test_names_that_tell_are_heard() -> None:
    expectation = taught(Expectation(), "acme", meant=True)
    for name, length_ms in MEANT.items():
        job = job_of(expectation, "acme", name, 1_000, 100 * DAY_MS)
        assert expectation.name(job) == name
        assert length_ms / 3 < expectation.run_ms(job, 100 * DAY_MS) < 3 * length_ms


def test_names_that_tell_nothing_are_not() -> None:
    expectation = taught(Expectation(), "acme", meant=False)
    jobs = [job_of(expectation, "acme", name, 1_000 + n, 100 * DAY_MS) for n, name in enumerate((*MEANT, "new", ""))]
    assert {expectation.name(job) for job in jobs} == {""}
    assert len({expectation.run_ms(job, 100 * DAY_MS) for job in jobs}) == 1


def test_names_that_cease_to_tell_are_not_heard_for_long() -> None:
    expectation = taught(Expectation(), "acme", meant=True, ends=3_000)
    taught(expectation, "acme", meant=False, after=3_000)
    assert expectation.name(job_of(expectation, "acme", "pretrain", 9_000, 9_000 * DAY_MS)) == ""


def test_one_tenants_names_say_nothing_of_anothers() -> None:
    expectation = taught(taught(Expectation(), "acme", meant=True), "zenith", meant=False)
    assert expectation.name(job_of(expectation, "acme", "pretrain", 1_000, 100 * DAY_MS)) == "pretrain"
    assert expectation.name(job_of(expectation, "zenith", "pretrain", 1_000, 100 * DAY_MS)) == ""


def test_a_long_neighbour_of_another_name_does_not_lengthen_what_a_name_tells() -> None:
    expectation = taught(Expectation(), "acme", meant=True)
    now_ms = 100 * DAY_MS
    alone = job_of(expectation, "acme", "evaluate", 1_000, now_ms)
    before_ms = expectation.run_ms(alone, now_ms)
    expectation.learn(job_of(expectation, "acme", "pretrain", 1_001, now_ms + MINUTE_MS), 3 * DAY_MS)
    after = job_of(expectation, "acme", "evaluate", 1_002, now_ms + 2 * MINUTE_MS)
    assert expectation.run_ms(after, now_ms + HOUR_MS) < 2 * before_ms
    unknown = job_of(expectation, "acme", "unheard-of", 1_003, now_ms + 3 * MINUTE_MS)
    assert expectation.run_ms(unknown, now_ms + HOUR_MS) > 10 * before_ms


def test_of_spot_jobs_in_one_row_each_is_judged_by_its_own_name() -> None:
    expectation = taught(Expectation(), "acme", meant=True)
    now_ms = 100 * DAY_MS
    expectation.learn(job_of(expectation, "acme", "pretrain", 1_000, now_ms), 2 * DAY_MS)
    long, short = (
        job_of(expectation, "acme", name, 1_001 + n, now_ms) for n, name in enumerate(("pretrain", "evaluate"))
    )
    assert long.sweep is short.sweep
    assert expectation.index_ms(long, 0) > 4 * expectation.index_ms(short, 0)


def test_who_knows_from_another_knows_whether_names_tell() -> None:
    expectation = taught(Expectation(), "acme", meant=True)
    job = job_of(expectation, "acme", "evaluate", 1_000, 100 * DAY_MS)
    apart, shared = Expectation(), Expectation()
    apart.know(expectation)
    shared.share(expectation)
    assert apart.name(job) == shared.name(job) == "evaluate"
    assert apart.remaining_ms(job, 0) == shared.remaining_ms(job, 0) == expectation.remaining_ms(job, 0)
