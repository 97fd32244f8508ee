"""Room that a promise hides from one job is seen by another of its ask that is over in time."""

from __future__ import annotations

import pytest

from petahour.model.jobs import Tier
from petahour.model.resources import Node
from petahour.scheduler.policies import POLICIES
from petahour.simulator.replay import Costs, Replay, replay
from petahour.simulator.reservations import Promised, seated
from petahour.simulator.result import Result
from petahour.simulator.trace import Trace, TraceJob

HOUR_MS = 3_600_000
TYPE = "a100-80g-sxm"
NODES = [Node(name="n", pool=TYPE, engine="sim", type=TYPE, accelerators=4)]
PROMISED = Promised(tenant="owner", type=TYPE, nodes=1, per_node=4, from_ms=4 * HOUR_MS, until_ms=8 * HOUR_MS)


def job(number: int, tier: Tier, *, submit_min: int, hours: float, told: bool = False, gang: int = 4) -> TraceJob:
    length_ms = round(hours * HOUR_MS)
    return TraceJob(
        row=number,
        id=str(number),
        tenant="spot" if tier is Tier.SPOT else "acme",
        submit_ms=submit_min * 60_000,
        duration_ms=length_ms,
        accelerators=gang,
        tier=tier,
        walltime_ms=length_ms if told else None,
    )


def run(jobs: list[TraceJob], policy: str) -> Result:
    how = Replay(
        policy=POLICIES[policy],
        nodes=NODES,
        costs=Costs(restart_ms=0),
        reservations=seated([PROMISED], NODES, [], None),
    )
    return replay(Trace(name="t", jobs=jobs), how)


def start_min(result: Result) -> list[int]:
    return (result.jobs.start_ms // 60_000).tolist()


# Spot lies on the seats until they are needed. The job that tells no walltime may not displace it, as it could run
# into the window; the one that is over in time may, though it stands behind the other and asks for the same.
@pytest.mark.parametrize("policy", ["petahour", "drf"])
def test_who_is_over_in_time_displaces_spot_on_seats_though_another_of_its_ask_may_not(policy: str) -> None:
    spot = job(0, Tier.SPOT, submit_min=0, hours=3)
    long = job(1, Tier.ON_DEMAND, submit_min=1, hours=5)
    short = job(2, Tier.ON_DEMAND, submit_min=2, hours=1, told=True)
    result = run([spot, long, short], policy)
    assert start_min(result) == [0, 8 * 60, 2]
    assert result.jobs.preemptions.tolist() == [1, 0, 0]


def test_where_not_even_all_of_the_promised_room_suffices_the_reason_is_room() -> None:
    # Firm work holds half of the node: with or without the promise there is no room for the gang of four.
    firm = job(0, Tier.ON_DEMAND, submit_min=0, hours=2, told=True, gang=2)
    spot = job(1, Tier.SPOT, submit_min=0, hours=3, gang=2)
    gangs = [job(number, Tier.ON_DEMAND, submit_min=number, hours=0.75, told=True) for number in (2, 3)]
    assert start_min(run([firm, spot, *gangs], "petahour"))[2:] == [120, 165]
