"""Options that many commands share."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class EngineName(StrEnum):
    """What runs jobs."""

    LOCAL = "local"
    SLURM = "slurm"


AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable output.")]
Month = Annotated[str | None, typer.Option(help="A month as YYYY-MM, in UTC; this month without it.")]
_INSTANT = "a date and time with its zone such as 2027-01-01T00:00:00Z, or from now, such as +90m."
Begins = Annotated[str, typer.Option("--from", help=f"When it begins: {_INSTANT}")]
To = Annotated[str, typer.Option("--to", help="When it ends, in the same way.")]
TenantName = Annotated[str | None, typer.Argument(metavar="[TENANT]", help="Your own tenant without it.")]
DataDir = Annotated[
    Path | None,
    typer.Option(help="Work on a control plane's data directory itself, as its operator, without a server."),
]
