"""Slurm's lists of hosts. A program of its own, as its copy lies beside the agent's on the nodes."""

from __future__ import annotations

import re


def expand(hosts: str) -> list[str]:
    """``n[0-1,3],m1`` as names; leading zeros are kept."""
    names: list[str] = []
    for part in re.findall(r"[^,\[]+(?:\[[^\]]*\])?", hosts):
        prefix, _, spans = part.rstrip("]").partition("[")
        if not spans:
            names.append(prefix)
        for span in spans.split(",") if spans else []:
            low, _, high = span.partition("-")
            names += [f"{prefix}{one:0{len(low)}d}" for one in range(int(low), int(high or low) + 1)]
    return names
