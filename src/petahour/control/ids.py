"""Identifiers: short, sayable, unguessable enough not to be enumerated."""

from __future__ import annotations

import secrets
from typing import Protocol

_LETTERS = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: no i, l, o, u


class Ids(Protocol):
    """``new("job")`` gives an id never given before."""

    def new(self, prefix: str) -> str: ...


class RandomIds:
    """``job-7q0w4v2m9x``: fifty random bits; the database refuses the one-in-10^15 repeat."""

    def new(self, prefix: str) -> str:
        return f"{prefix}-" + "".join(secrets.choice(_LETTERS) for _ in range(10))
