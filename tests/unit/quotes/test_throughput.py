"""Throughput from a program's output: which lines count, what they tell, and what is refused."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from petahour.model.errors import ValidationError
from petahour.quoting.throughput import read_throughput

STEADY = "\n".join(["starting", "petahour: 100 samples in 2.0 s", *["petahour: 100 samples in 1.0 s"] * 6, "done"])


def test_the_first_stretch_is_warm_up() -> None:
    seen = read_throughput(STEADY, run_s=10.0)
    assert (seen.unit, seen.rate, seen.spread, seen.stretches) == ("samples", 100.0, 0.0, 6)
    # 700 samples at 100 a second are 7 s; the rest of the run is set-up, the slow first stretch's part of it.
    assert seen.set_up_s == pytest.approx(3.0)
    assert seen.power_w is None


def test_a_longer_run_takes_its_set_up_once() -> None:
    seen = read_throughput(STEADY, run_s=10.0)
    low_s, expected_s, high_s = seen.run_s(100_000)
    assert expected_s == pytest.approx(1003.0)
    assert low_s < expected_s < high_s
    assert high_s / low_s < 1.2


def test_a_run_that_is_mostly_set_up_is_quoted_less_surely() -> None:
    seen = read_throughput(STEADY, run_s=10.0)
    short, long = seen.run_s(10), seen.run_s(100_000)
    assert short[2] / short[0] > long[2] / long[0]


def test_power_is_the_mean_of_the_warm_stretches() -> None:
    watts = (999, 300, 310, 320)
    seen = read_throughput("\n".join(f"petahour: 8 steps in 1.5 s at {power} W" for power in watts), run_s=6.0)
    assert (seen.unit, seen.power_w) == ("steps", 310.0)


METERED = "\npetahour: power 388.2 W over 9.5 s by nvml\n"


def test_a_meter_tells_what_the_program_does_not() -> None:
    seen = read_throughput(STEADY + METERED, run_s=10.0)
    assert (seen.power_w, seen.power_by, seen.power_unknown) == (388.2, "nvml", None)
    assert seen.joules == pytest.approx(3882.0)
    own = "\n".join(f"petahour: 8 steps in 1.5 s at {power} W" for power in (999, 300, 310, 320))
    seen = read_throughput(own + METERED, run_s=6.0)
    assert (seen.power_w, seen.power_by) == (310.0, "the program")


def test_without_power_there_is_a_reason() -> None:
    seen = read_throughput(STEADY + "\npetahour: power unknown: no driver", run_s=10.0)
    assert (seen.power_w, seen.joules, seen.power_unknown) == (None, None, "no driver")
    assert read_throughput(STEADY, run_s=10.0).power_unknown is not None


def test_what_only_looks_like_a_line_does_not_count() -> None:
    odd = "petahour: many a in 1 s\n petahour: 1 a in 1 s\npetahour: 0 a in 1 s\nxpetahour: 1 a in 1 s"
    with pytest.raises(ValidationError, match="at least 3 lines"):
        read_throughput(odd, run_s=5.0)


def test_lines_that_were_not_understood_are_counted_and_the_first_is_shown() -> None:
    odd = "\n".join(["petahour: 320 samples in 50", "  petahour: 1 a in 1 s", "petahour: 0 a in 1 s", "xpetahour: 1"])
    with pytest.raises(ValidationError, match="3 were not understood, the first is 'petahour: 320 samples in 50'"):
        read_throughput(odd, run_s=5.0)
    seen = read_throughput(f"{STEADY}\n{odd}\npetahour: power unknown: no driver", run_s=10.0)
    assert (seen.stretches, seen.unread, seen.first_unread) == (6, 3, "petahour: 320 samples in 50")
    assert read_throughput(STEADY, run_s=10.0).unread == 0


def test_stretches_that_last_longer_than_the_run_are_refused() -> None:
    with pytest.raises(ValidationError, match=r"last no longer than the run, which took 1\.8 s") as caught:
        read_throughput("petahour: 30 images in 50 s\n" * 6, run_s=1.8)
    assert "300 s together" in str(caught.value.value)
    assert read_throughput("petahour: 30 images in 0.301 s\n" * 6, run_s=1.8).rate == pytest.approx(30 / 0.301)


def test_two_units_are_refused() -> None:
    with pytest.raises(ValidationError, match="one unit in all lines"):
        read_throughput(STEADY + "\npetahour: 5 tokens in 1 s", run_s=10.0)


@given(st.text(max_size=400))
def test_any_output_is_read_or_refused(output: str) -> None:
    try:
        seen = read_throughput(output, run_s=1.0)
    except ValidationError:
        return
    assert seen.rate > 0


def test_eight_of_ten_runs_lie_within_the_interval() -> None:
    """Programs whose rate wanders between stretches and between runs, as the model of the interval says."""
    draw = random.Random(7)
    held = 0
    for _ in range(400):
        calibration = _output(draw, rate=100 * draw.gauss(1, 0.035), stretches=20)
        seen = read_throughput(calibration[0], run_s=calibration[1] + 2)
        low_s, _, high_s = seen.run_s(20_000)
        held += low_s <= _output(draw, rate=100 * draw.gauss(1, 0.035), stretches=200)[1] + 2 <= high_s
    assert 0.7 <= held / 400 <= 0.9


def _output(draw: random.Random, *, rate: float, stretches: int) -> tuple[str, float]:
    took = [100 / (rate * draw.gauss(1, 0.05)) for _ in range(stretches)]
    return "\n".join(f"petahour: 100 samples in {seconds:.6f} s" for seconds in took), sum(took)
