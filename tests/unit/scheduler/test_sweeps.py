"""Jobs that were submitted in a row."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from petahour.model.jobs import Tier
from petahour.model.resources import Gang
from petahour.model.time import HOUR_MS, MINUTE_MS, SECOND_MS
from petahour.scheduler.ask import Ask, Waiting
from petahour.scheduler.likeness import Likeness
from petahour.scheduler.policies import POLICIES
from petahour.scheduler.state import State
from petahour.scheduler.sweeps import STRETCH
from petahour.simulator.fleet import plain_nodes


def test_a_job_knows_its_place_in_its_stretch() -> None:
    state = State(POLICIES["petahour"], plain_nodes(1, 8))
    ask = state.asks.of(tenant="acme", tier=Tier.SPOT, types=("any",), gang=Gang(nodes=1, accelerators_per_node=8))
    row = [state.enqueue(Waiting(f"job-{seq}", seq, ask, seq * SECOND_MS)) for seq in range(STRETCH + 2)]
    assert [job.place for job in row] == [*range(1, STRETCH + 1), 1, 2]
    late = state.enqueue(Waiting("late", 99, ask, row[-1].submitted_ms + MINUTE_MS + 1))
    assert late.place == 1
    # Whoever waits again is who it was.
    state.dequeue("job-3")
    assert state.enqueue(row[3]._replace(attained_ms=HOUR_MS)).place == 4


def rows_ended(state: State, ask: Ask, *, alike: bool) -> None:
    """Rows of three that ended after a minute to some days, all of a row after as long or each after anything."""
    drawn = Random(7)
    for number in range(120):
        row = [state.enqueue(Waiting(f"old-{number}-{n}", number, ask, number * HOUR_MS)) for n in range(3)]
        length_ms = round(2 ** (number % 40 / 3) * MINUTE_MS)
        for job in row:
            state.dequeue(job.id)
            state.expectation.learn(job, length_ms if alike else round(2 ** drawn.uniform(0, 40 / 3) * MINUTE_MS))


def places_yielded_to(alike: bool) -> Callable[[int], list[int]]:
    """After the first of a stretch ran for so long: the places of those, tried for 15 minutes, that it yields to."""
    state = State(POLICIES["petahour"], plain_nodes(1, 8))
    ask = state.asks.of(tenant="acme", tier=Tier.SPOT, types=("any",), gang=Gang(nodes=1, accelerators_per_node=8))
    rows_ended(state, ask, alike=alike)
    come_ms = 200 * HOUR_MS
    first, *others = [state.enqueue(Waiting(f"job-{seq}", seq, ask, come_ms + seq)) for seq in range(STRETCH)]
    claim = POLICIES["petahour"].claim
    assert claim is not None

    def places(ran_ms: int) -> list[int]:
        own = claim(state, first, ran_ms, come_ms + HOUR_MS)
        tried = (other._replace(attained_ms=15 * MINUTE_MS) for other in others)
        return [other.place for other in tried if claim(state, other, 0, come_ms + HOUR_MS) < own]

    return places


def test_those_of_a_stretch_go_in_turn_where_they_run_alike() -> None:
    """Where run times are of any order, what runs on looks longer and longer, and would yield to all of its row."""
    yielded_to = places_yielded_to(alike=True)
    assert yielded_to(15 * MINUTE_MS) == []
    assert yielded_to(HOUR_MS) == []
    assert yielded_to(2 * HOUR_MS) == [2, 3]
    assert yielded_to(32 * HOUR_MS) == [2, 3, 4, 5, 6, 7, 8]  # its turn is not for ever


def test_those_of_a_stretch_are_served_side_by_side_where_it_tells_nothing() -> None:
    yielded_to = places_yielded_to(alike=False)
    assert yielded_to(15 * MINUTE_MS) == []
    assert yielded_to(HOUR_MS) == [2, 3, 4, 5]
    assert yielded_to(2 * HOUR_MS) == [2, 3, 4, 5, 6, 7, 8]


def test_likeness_is_learned_between_none_and_all() -> None:
    first = Likeness().slope
    assert 0 < first < 1
    alike, apart, opposed = Likeness(), Likeness(), Likeness()
    for number in range(400):
        own = 3.0 if number % 2 else -3.0
        alike.learn(own, own / 2)  # it lies even further from the usual than the others of its stretch
        apart.learn(own, 3.0 if number % 4 < 2 else -3.0)
        opposed.learn(own, -own)
    assert alike.slope == 1.0
    assert 0 < apart.slope < 0.1 * first + 0.02
    assert opposed.slope == 0.0
