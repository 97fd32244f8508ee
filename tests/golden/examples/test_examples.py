"""The examples run against a real control plane and print what the golden file says."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.integration.faults.conftest import make_plane, plane
from tests.integration.faults.plane import Plane

EXAMPLES = Path(__file__).parents[3] / "examples"
GOLDEN = Path(__file__).parent

__all__ = ["make_plane", "plane"]


def test_submit_to_invoice(plane: Plane) -> None:
    key = plane.authorization["Authorization"].removeprefix("Bearer ")
    environment = {**os.environ, "PETAHOUR_URL": plane.url, "PETAHOUR_API_KEY": key}
    command = [sys.executable, str(EXAMPLES / "submit_to_invoice.py")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=90)
    assert done.stderr == ""
    assert done.stdout == (GOLDEN / "submit_to_invoice.txt").read_text("utf-8")


def test_it_is_short() -> None:
    assert len((EXAMPLES / "submit_to_invoice.py").read_text("utf-8").splitlines()) < 50
