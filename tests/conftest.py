"""What holds for every test."""

from __future__ import annotations

import os
import signal
from collections.abc import Generator

import pytest

# A shell starts background jobs with SIGINT ignored, and programs inherit that: tests that press Ctrl-C would then
# test the shell.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In continuous integration a skipped test is a failed one: what a test needs has to be there."""
    report = yield
    if report.skipped and os.environ.get("CI"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped, which continuous integration does not allow"
    return report
