"""Files that commands write: whole or not at all, and said in one line."""

from __future__ import annotations

import sys
from pathlib import Path

import typer

from petahour.model.errors import ValidationError


def write_file(path: Path, content: bytes) -> None:
    """Write the file (``-``: standard output). Raises ValidationError where that cannot be done."""
    if str(path) == "-":
        sys.stdout.buffer.write(content)
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.new")
        temporary.write_bytes(content)
        temporary.replace(path)
    except OSError as error:
        raise ValidationError(
            field="output",
            value=str(path),
            rule=f"a file this process can write ({error.strerror})",
            remedy="Choose another with --output.",
        ) from None
    typer.echo(f"Wrote {path} ({len(content):,} bytes)")
