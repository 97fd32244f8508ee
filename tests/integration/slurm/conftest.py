"""Clusters and control planes that are put away whatever becomes of the test."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.integration.faults.conftest import MakePlane, make_plane
from tests.integration.faults.plane import Plane
from tests.integration.slurm.cluster import Cluster, cluster, make_cluster

__all__ = ["cluster", "make_cluster", "make_plane"]


@pytest.fixture
def plane(make_plane: MakePlane, cluster: Cluster, tmp_path: Path) -> Plane:
    """A control plane on the session's Slurm, with nothing else to rent."""
    made = make_plane(options=cluster.options(tmp_path), fleet="", cpus=0)
    made.start()
    return made
