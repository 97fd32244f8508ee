"""Header: the line that names a file's columns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from petahour.model.errors import ValidationError
from petahour.simulator.readers.lines import refuse_garbled
from petahour.simulator.readers.values import RowFault


class Header:
    """A file's columns by name. Names are compared without case and surrounding blanks."""

    def __init__(self, path: Path, names: Sequence[str]) -> None:
        self._path = path
        self.names = [name.strip().lower() for name in names]

    def find(self, *names: str) -> int | None:
        """The place of the first of these columns that the file has."""
        for name in names:
            if name.lower() in self.names:
                return self._only(name.lower())
        return None

    def need(self, *names: str) -> int:
        """Like ``find``. Raises ValidationError when the file has none of them."""
        place = self.find(*names)
        if place is None:
            wanted = " or ".join(f"`{name}`" for name in names)
            raise ValidationError(
                field=f"{self._path}, line 1",
                value=",".join(self.names),
                rule=f"the header lacks the column {wanted}",
                remedy="Add the column, or name the format that the file has.",
            )
        return place

    def _only(self, name: str) -> int:
        if self.names.count(name) > 1:
            raise ValidationError(
                field=f"{self._path}, line 1",
                value=",".join(self.names),
                rule=f"the header has the column `{name}` twice",
                remedy="Rename or remove one of them.",
            )
        return self.names.index(name)


def file_header(path: Path, numbered: Iterator[tuple[int, str]], split: Callable[[str], list[str]]) -> list[str]:
    """The first line's fields. Raises ValidationError when there is none."""
    for line, text in numbered:
        try:
            refuse_garbled(text)
            return split(text)
        except RowFault as fault:
            raise ValidationError(
                field=f"{path}, line {line}",
                value=None,
                rule=f"the header: {fault}",
                remedy="Save the file as UTF-8 text with a line of column names first.",
            ) from None
    raise ValidationError(
        field=str(path),
        value=None,
        rule="is empty",
        remedy="Name a file with a line of column names and at least one line of data.",
    )
