"""The control plane of the fault tests serves here too, over this host and over Slurm."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.integration.faults.conftest import MakePlane, make_plane
from tests.integration.faults.plane import Plane
from tests.integration.slurm.cluster import Cluster, cluster, make_cluster

__all__ = ["cluster", "make_cluster", "make_plane"]


@pytest.fixture(params=["local", "slurm"])
def plane(request: pytest.FixtureRequest, make_plane: MakePlane, tmp_path: Path) -> Plane:
    """One that serves; over Slurm its two A100 nodes are two of Slurm's."""
    if request.param == "slurm":
        slurm: Cluster = request.getfixturevalue("cluster")
        made = make_plane(options=slurm.options(tmp_path), fleet="", cpus=0)
    else:
        made = make_plane()
    made.start()
    return made
