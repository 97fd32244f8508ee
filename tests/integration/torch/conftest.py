"""The control plane of the fault tests serves here too."""

from __future__ import annotations

from tests.integration.faults.conftest import make_plane, plane

__all__ = ["make_plane", "plane"]
