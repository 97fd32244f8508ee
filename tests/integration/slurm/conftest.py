"""Clusters that are put away whatever becomes of the test."""

from __future__ import annotations

from tests.integration.slurm.cluster import cluster, make_cluster

__all__ = ["cluster", "make_cluster"]
