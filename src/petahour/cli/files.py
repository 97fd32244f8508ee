"""Files that commands write: whole or not at all, and said in one line."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import typer

from petahour.model.errors import ValidationError


def known_form(form: str, known: Mapping[str, str]) -> str:
    """The end of a file's name in this format, or ValidationError."""
    if form not in known:
        raise ValidationError(field="format", value=form, rule="a known format", remedy=f"Use {', '.join(known)}.")
    return known[form]


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
