"""Numbers, sizes and rows out of the text that vendors' tools print for people."""

from __future__ import annotations

import re
from collections.abc import Sequence

from petahour.model.errors import ValidationError

BYTES_PER_MIB = 1024**2
MOST_DEVICES = 1_024

# Digits are bounded so that no printed number can be too long for Python to convert.
_NUMBER = re.compile(r"-?[0-9]{1,12}(?:\.[0-9]{1,6})?")
_SIZE = re.compile(r"([0-9]{1,12}) ?(?:MiB|MB|M)?(?![0-9.A-Za-z])")


def number(text: str) -> float | None:
    """The first number in the text ("52C", "- 54 W", "7 %"), or None when there is none ("N/A", "-")."""
    found = _NUMBER.search(text)
    return None if found is None else float(found.group())


def index(text: str) -> int | None:
    """The text as a device number, or None when it is anything else."""
    stripped = text.strip()
    if not re.fullmatch(r"[0-9]{1,4}", stripped) or int(stripped) >= MOST_DEVICES:
        return None
    return int(stripped)


def mebibytes(text: str) -> int | None:
    """A size in MiB as bytes ("49152MiB", "65536"), or None. Tools that print MB mean MiB as well."""
    found = _SIZE.search(text)
    size = 0 if found is None else int(found.group(1))
    return size * BYTES_PER_MIB or None


def cells(line: str, separator: str = "|") -> list[str]:
    """The cells of a table row, stripped, without the empty ones outside its border."""
    return [cell.strip() for cell in line.strip().strip(separator).split(separator)]


def unreadable(tool: str, rule: str, text: str) -> ValidationError:
    """The error of output that is not what the tool is known to print. Shows its beginning."""
    shown = " ".join(text[:200].split())
    return ValidationError(
        field=tool,
        value=shown[:80],
        rule=rule,
        remedy=f"Run {tool} on the node and compare its output with a version that Petahour knows.",
    )


def require_header(tool: str, text: str, words: Sequence[str]) -> None:
    """Refuse text without the words that the tool's table always has."""
    for word in words:
        if word not in text:
            raise unreadable(tool, f"output with {word!r} in its heading", text)
