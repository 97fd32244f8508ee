"""Lengths of time: exact where they are exact, and in their larger units where they are forecast."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from petahour.model.time import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, format_duration, format_span, parse_duration


@given(st.integers(60, 10**12))
def test_a_duration_of_whole_seconds_is_read_back_however_long_it_is(seconds: int) -> None:
    assert parse_duration(format_duration(seconds * SECOND_MS), field="walltime") == seconds * SECOND_MS


@given(st.integers(MINUTE_MS, 2 * 365 * DAY_MS - 1))
def test_a_span_is_never_too_long_and_lacks_less_than_a_part_in_24(span_ms: int) -> None:
    shown = parse_duration(format_span(span_ms), field="span")
    assert shown <= span_ms < shown + max(SECOND_MS, span_ms // 24)


@pytest.mark.parametrize(
    ("span_ms", "text"),
    [
        (4_200, "4.2s"),
        (4 * MINUTE_MS + 5 * SECOND_MS, "4m5s"),
        (3 * HOUR_MS + 20 * MINUTE_MS + 59_999, "3h20m"),
        (DAY_MS + 11 * HOUR_MS + 42 * MINUTE_MS, "1d11h"),
        (164 * DAY_MS + 23 * HOUR_MS, "164d"),
        (10_629 * DAY_MS, "29y"),
        (10**6 * 365 * DAY_MS, "1,000,000y"),
    ],
)
def test_a_span_names_its_larger_units(span_ms: int, text: str) -> None:
    assert format_span(span_ms) == text
