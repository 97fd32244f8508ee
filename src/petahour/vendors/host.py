"""The host's own processors."""

from __future__ import annotations

import os


def host_cpus() -> int:
    """How many CPUs this process may run on: its affinity where the system has one, else all of them."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
