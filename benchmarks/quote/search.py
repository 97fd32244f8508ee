"""How long a person waits: every plan of a 175B model on 1,024 accelerators, and a quote of a whole fleet."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from petahour.catalog import load_catalog
from petahour.quoting.calibration import calibration_for
from petahour.quoting.chips import Chip, chip_from_type
from petahour.quoting.choice import estimates_up_to
from petahour.quoting.estimate import estimate
from petahour.quoting.presets import preset
from petahour.quoting.search import plans_of, search
from petahour.quoting.workload import Training
from report import Figure, show

FLEET = {
    "a100-80g-sxm": 1024,
    "a800-80g-sxm": 1024,
    "h800-80g-sxm": 1024,
    "ascend-910b3": 1024,
    "mi300x": 512,
    "metax-c500": 512,
    "mtt-s4000": 1024,
    "br100": 256,
}


def main() -> int:
    training = Training(model=preset("gpt-3-175b"), tokens=300 * 10**9, global_batch=1536, sequence=2048)
    types = load_catalog().types
    a100 = chip_from_type(types["a100-80g-sxm"])
    calibration = calibration_for(a100, fused=True)
    plans = int(plans_of(training, a100, 1024).tp.size)
    one = _seconds(lambda: search(training, a100, calibration, [1024]))
    plan = search(training, a100, calibration, [1024]).fastest()
    single = _seconds(lambda: estimate(training, a100, gang=1024, plan=plan))
    fleet = _seconds(lambda: [_quote(training, chip_from_type(types[name]), most) for name, most in FLEET.items()])
    print(f"{plans:,} plans of 175B on 1,024 accelerators; a fleet of {len(FLEET)} types, all gang sizes of each\n")
    each = "one plan at a time"
    figures = [
        Figure(
            name="175B on 1,024 accelerators, all plans",
            value=one * 1000,
            unit="ms",
            baseline_name=each,
            baseline=single * plans * 1000,
            target="< 1,000 ms",
            ok=one < 1.0,
        ),
        Figure(
            name="175B on the whole fleet, all gang sizes and plans",
            value=fleet * 1000,
            unit="ms",
            baseline_name="each type's largest gang alone",
            baseline=_largest(training) * 1000,
            target="< 3,000 ms",
            ok=fleet < 3.0,
        ),
    ]
    return show("The quote's search", figures)


def _largest(training: Training) -> float:
    types = load_catalog().types
    chips = [(chip_from_type(types[name]), most) for name, most in FLEET.items()]
    return _seconds(lambda: [estimate(training, chip, gang=most) for chip, most in chips])


def _quote(training: Training, chip: Chip, most: int) -> int:
    return len(estimates_up_to(training, chip, most))


def _seconds(work: Callable[[], object], repeats: int = 3) -> float:
    """Seconds of one core, the least of some repeats: what a person waits on a machine that does nothing else."""
    taken = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        taken.append(time.process_time() - start)
    return min(taken)


if __name__ == "__main__":
    raise SystemExit(main())
