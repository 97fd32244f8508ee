"""A command's connection to the control plane."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from petahour.model.errors import ValidationError

if TYPE_CHECKING:
    from petahour.client import Client


def connect() -> Client:
    """A client of the control plane of the environment or the saved profile."""
    from petahour.client import Client, resolve_profile

    profile = resolve_profile()
    return Client(profile.url, profile.key)


def books(data_dir: Path | None) -> AbstractContextManager[Client]:
    """A client of the control plane, or of a data directory itself."""
    if data_dir is None:
        return connect()
    from petahour.cli.offline import offline

    return offline(data_dir)


def tenant_or_own(client: Client, name: str | None) -> str:
    """The tenant named, or the one the key belongs to."""
    tenant = name or client.whoami().tenant
    if tenant is None:
        raise ValidationError(
            field="tenant",
            value=None,
            rule="this key belongs to no tenant",
            remedy='Name the tenant; "petahour tenant list" shows them.',
        )
    return tenant


def month_or_this(month: str | None) -> str:
    """The month named, or the present one in UTC."""
    from petahour.model.time import month_bounds, month_of

    chosen = month or month_of(now_ms())
    month_bounds(chosen)
    return chosen


def now_ms() -> int:
    """This host's clock."""
    return time.time_ns() // 1_000_000
