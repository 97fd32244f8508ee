"""Control planes that are put away whatever becomes of the test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.integration.faults.plane import Plane

MakePlane = Callable[..., Plane]


@pytest.fixture
def make_plane(tmp_path: Path) -> Iterator[MakePlane]:
    planes: list[Plane] = []

    def make(**options: object) -> Plane:
        plane = Plane(tmp_path, **options)  # type: ignore[arg-type]
        planes.append(plane)
        return plane

    yield make
    for plane in planes:
        plane.close()


@pytest.fixture
def plane(make_plane: MakePlane) -> Plane:
    """A control plane that serves."""
    made = make_plane()
    made.start()
    return made
