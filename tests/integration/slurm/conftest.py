"""Clusters and control planes that are put away whatever becomes of the test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.integration.faults.conftest import make_plane
from tests.integration.faults.plane import Plane
from tests.integration.slurm.cluster import Cluster, cluster, make_cluster

__all__ = ["cluster", "make_cluster", "make_plane"]


@pytest.fixture(scope="module")
def plane(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plane]:
    """A control plane on the session's Slurm, with nothing else to rent; the tests of a module share it."""
    home = tmp_path_factory.mktemp("plane")
    made = Plane(home, options=cluster.options(home), fleet="", cpus=0)
    try:
        made.start()
        yield made
    finally:
        made.close()
