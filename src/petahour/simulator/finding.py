"""Findings: what an audit tells of a replay."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MOST = 20  # findings of one kind that are told


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """Something that must not be: the rule, and what breaks it."""

    rule: str
    detail: str


def told(rule: str, wrong: NDArray[np.int64], tell: Callable[[int], str]) -> list[Finding]:
    """The first of what is wrong, in words."""
    return [Finding(rule=rule, detail=tell(int(one))) for one in wrong[:MOST]]
