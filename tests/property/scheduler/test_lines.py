"""Lines whose urgencies are kept give their heads in the order of looking at every one of them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from petahour.model.jobs import Tier
from petahour.model.resources import Gang
from petahour.scheduler.ask import Asks, Waiting
from petahour.scheduler.front import Front
from petahour.scheduler.line import Rank
from petahour.scheduler.lines import Lines
from petahour.scheduler.near import Usual
from petahour.scheduler.sweeps import Sweeps

KEEPS_MS = 10


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5), st.integers(0, 9)), max_size=60), st.data())
def test_heads_come_as_by_looking_at_all_of_them(acts: list[tuple[int, int, int]], data: st.DataObject) -> None:
    asks, sweeps = Asks(), Sweeps()
    sweeps.watch()
    lines = Lines(lambda job: id(job.sweep), lambda job: (), shared=False, kept=True)
    ask = asks.of(tenant="t", tier=Tier.SPOT, types=("a",), gang=Gang())
    waiting: dict[str, Waiting] = {}
    known: dict[object, int] = {}  # sweep -> how urgent its jobs are now

    def urgency(job: Waiting) -> Rank:
        return (known[job.sweep],)

    for number, (act, which, value) in enumerate(acts):
        if act < 2 or not waiting:
            job = Waiting(f"job-{number}", number, ask, which * 100_000_000)
            sweep = sweeps.join(job.ask, job.submitted_ms)
            known.setdefault(sweep, value)
            waiting[job.id] = job._replace(sweep=sweep)
            lines.add(waiting[job.id])
        elif act == 2:
            lines.drop(waiting.pop(sorted(waiting)[which % len(waiting)]).id)
        else:
            sweep = waiting[sorted(waiting)[which % len(waiting)]].sweep
            assert sweep is not None
            known[sweep] = value
            sweep.learn(job, 1_000, Usual("", 20.0, 4.5))
        if data.draw(st.booleans()):
            lines.renew(sweeps.changed(), urgency, number, KEEPS_MS)
            assert taken(lines, urgency, number) == sorted(
                (*urgency(line.head()), line.head().seq) for line in lines.waiting()
            )
            # A pass leaves them as they were.
            assert taken(lines, urgency, number) == taken(lines, urgency, number)


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9), st.integers(0, 3)), max_size=60),
    st.sets(st.integers(0, 3)),
)
def test_who_was_refused_for_all_of_an_ask_keeps_nobody_else_back(
    jobs: list[tuple[int, int, int]], refused: set[int]
) -> None:
    lines = Lines(lambda job: id(job.sweep), lambda job: (), shared=False, kept=True)
    asks, sweeps = Asks(), Sweeps()
    tenants = [asks.of(tenant=str(number), tier=Tier.SPOT, types=("a",), gang=Gang()) for number in range(4)]
    worth: dict[str, int] = {}

    def urgency(job: Waiting) -> Rank:
        return (worth[job.id],)

    for number, (tenant, value, leaves) in enumerate(jobs):
        ask = tenants[tenant]
        job = Waiting(f"job-{number}", number, ask, number * 100_000_000)
        job = job._replace(sweep=sweeps.join(ask, job.submitted_ms))
        worth[job.id] = value
        lines.add(job)
        lines.renew((), urgency, number, KEEPS_MS)
        if not leaves:
            lines.drop(job.id)
    front = Front(urgency)
    heads = {shape: lines.heads(shape) for shape, _ in lines.by_shape()}
    for shape in heads:
        front.add_heads(shape, heads[shape])
    found, gone = [], set()
    for _, job in front:
        if job.ask not in gone:
            found.append((worth[job.id], job.seq))
            if int(job.ask.tenant) in refused:
                gone.add(job.ask)
                front.refuse(job.ask)
    front.close()
    expected, gone = [], set()
    for line in sorted(lines.waiting(), key=lambda line: (worth[line.head().id], line.head().seq)):
        if line.ask not in gone:
            expected.append((worth[line.head().id], line.head().seq))
            if int(line.ask.tenant) in refused:
                gone.add(line.ask)
    assert found == expected


def taken(lines: Lines, urgency, now_ms: int) -> list[tuple[float, int]]:  # type: ignore[no-untyped-def]
    front = Front(urgency)
    for shape, _ in lines.by_shape():
        heads = lines.heads(shape)
        heads.look(urgency, now_ms, KEEPS_MS)
        front.add_heads(shape, heads)
    found = [(*urgency(job), job.seq) for _, job in front]
    front.close()
    return found
