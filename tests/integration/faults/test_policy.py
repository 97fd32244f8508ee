"""The policy a control plane is started with decides on the floor, with the floor's prices."""

from __future__ import annotations

import pytest
from tests.integration.faults.conftest import MakePlane

TYPES = ["h800-80g-sxm", "ascend-910b3"]  # 26.00 and 9.00 an hour in the sample prices
FLEET = "".join(
    f'[[node]]\nname = "{name[:4]}"\ntype = "{name}"\naccelerators = 2\nrehearsal = true\n' for name in TYPES
)


@pytest.mark.parametrize(("policy", "places"), [("cheapest", [1, 1, 0]), ("petahour", [0, 0, 1])])
def test_jobs_take_the_cheapest_type_with_room_or_the_preferred_one(
    make_plane: MakePlane, policy: str, places: list[int]
) -> None:
    plane = make_plane(fleet=FLEET, options=("--policy", policy))
    plane.start()
    plane.found_tenant()
    for number in range(3):
        job = plane.submit(["sleep", "30"], key=f"j{number}", types=TYPES)
        plane.await_state(job, "running")
        assert plane.job(job)["allocations"][-1]["type"] == TYPES[places[number]]


@pytest.mark.parametrize(("policy", "said"), [("sjf", "a bound for replays"), ("lottery", "one of fifo")])
def test_a_policy_that_no_floor_can_have_is_refused(make_plane: MakePlane, policy: str, said: str) -> None:
    plane = make_plane(options=("--policy", policy))
    plane.spawn()
    plane.until(lambda: said in plane.tail(), 30, "the refusal")
    assert "Traceback" not in plane.tail()
    assert not plane.data.exists()
