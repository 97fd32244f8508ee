"""Lines: a text file, plain or gzipped, line by line, with every line's number and what is wrong with it."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path

from petahour.model.errors import ValidationError
from petahour.simulator.readers.values import RowFault

_GZIP_MAGIC = b"\x1f\x8b"


def lines(path: Path) -> Iterator[tuple[int, str]]:
    """Line numbers from 1 and texts without their ends; blank lines are passed over.

    Bytes that are no UTF-8 come as lone surrogates, for ``refuse_garbled`` to find.
    Raises ValidationError when the file cannot be read to its end.
    """
    number = 0
    try:
        with path.open("rb") as plain:
            packed = plain.read(2) == _GZIP_MAGIC
            plain.seek(0)
            stream = gzip.GzipFile(fileobj=plain) if packed else plain
            with io.TextIOWrapper(stream, encoding="utf-8-sig", errors="surrogateescape") as text:
                for line in text:
                    number += 1
                    bare = line.rstrip("\n")
                    if bare and not bare.isspace():
                        yield number, bare
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValidationError(
            field=f"{path}, after line {number}",
            value=None,
            rule=f"the compressed data is damaged: {error}",
            remedy="Fetch or compress the file again; half a trace is never read.",
        ) from None
    except OSError as error:
        raise ValidationError(
            field=str(path),
            value=None,
            rule=f"cannot be read: {error.strerror or error}",
            remedy="Name a trace file that exists and that you may read.",
        ) from None


def refuse_garbled(text: str) -> None:
    """Raises RowFault where the line's bytes were not UTF-8."""
    if not text.isascii():
        try:
            text.encode("utf-8")
        except UnicodeEncodeError as error:
            raise RowFault("line", None, f"is not UTF-8 text at its character {error.start + 1}") from None


def comma_fields(text: str) -> list[str]:
    """One line of a CSV file. A quoted field ends on its line: an unclosed quote costs that line, not the rest."""
    if '"' not in text:
        return text.split(",")
    try:
        return next(csv.reader((text,), strict=True))
    except csv.Error as error:
        raise RowFault("line", None, f"is no row of a CSV file: {error}") from None


def tab_fields(text: str) -> list[str]:
    """One line of tab-separated columns, where quotes mean nothing."""
    return text.split("\t")


def blank_fields(text: str) -> list[str]:
    """One line of columns apart by any blanks."""
    return text.split()
