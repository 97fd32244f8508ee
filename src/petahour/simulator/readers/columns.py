"""Columns: the texts that most formats have, such as ids, tenants and names."""

from __future__ import annotations

from sys import intern

from petahour.simulator.readers.values import RowFault


def known(text: str, field: str) -> str:
    """A text that says something. Raises RowFault on a blank one."""
    bare = text.strip()
    if not bare:
        raise RowFault(field, None, "is blank")
    return bare


def text_column(fields: list[str], place: int | None) -> str:
    """A text that may be blank or whose column the file may lack; the few that recur are kept once."""
    return "" if place is None else intern(fields[place].strip())
