"""What jobs submitted in a row tell of each other."""

from __future__ import annotations

import pytest

from petahour.model.time import HOUR_MS
from petahour.scheduler.sweeps import Sweep


def test_a_run_that_began_later_than_the_instant_looked_at_tells_nothing_yet() -> None:
    sweep = Sweep()
    sweep.learn(1_000)
    alone = sweep.typical_log(HOUR_MS, 10.0, 1.0, runs=True)
    sweep.begin("job-2", 2 * HOUR_MS)
    assert sweep.typical_log(HOUR_MS, 10.0, 1.0, runs=True) == pytest.approx(alone)
    assert sweep.typical_log(4 * HOUR_MS, 10.0, 1.0, runs=True) > alone
