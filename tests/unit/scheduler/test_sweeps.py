"""Jobs that were submitted in a row."""

from __future__ import annotations

from petahour.model.jobs import Tier
from petahour.model.resources import Gang
from petahour.model.time import HOUR_MS, MINUTE_MS, SECOND_MS
from petahour.scheduler.ask import Waiting
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


def test_those_of_a_stretch_go_in_turn_and_not_side_by_side() -> None:
    """Where run times are of any order, what runs on looks longer and longer, and yields to all that are alike."""
    state = State(POLICIES["petahour"], plain_nodes(1, 8))
    ask = state.asks.of(tenant="acme", tier=Tier.SPOT, types=("any",), gang=Gang(nodes=1, accelerators_per_node=8))
    for number in range(40):  # ended after a minute to some days
        state.expectation.learn(Waiting(f"old-{number}", number, ask, 0), round(2 ** (number / 3) * MINUTE_MS))
    first, *others = [state.enqueue(Waiting(f"job-{seq}", seq, ask, HOUR_MS + seq)) for seq in range(STRETCH)]
    now_ms = 2 * HOUR_MS

    def yields_to(ran_ms: int) -> list[int]:
        claim = POLICIES["petahour"].claim
        assert claim is not None
        own = claim(state, first, ran_ms, now_ms)
        tried = (other._replace(attained_ms=15 * MINUTE_MS) for other in others)
        return [other.place for other in tried if claim(state, other, 0, now_ms) < own]

    assert yields_to(15 * MINUTE_MS) == []
    assert yields_to(HOUR_MS) == []
    assert yields_to(2 * HOUR_MS) == [2, 3]
    assert yields_to(32 * HOUR_MS) == [2, 3, 4, 5, 6, 7, 8]  # its turn is not for ever
