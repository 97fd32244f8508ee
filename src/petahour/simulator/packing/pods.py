"""The packing experiment's input: which pods arrive and which nodes they may lie on, read from two CSV files.

A pod asks for host CPU, host memory and accelerators: none, a part of one (``gpu_milli`` below 1000 with
``num_gpu`` 1) or several whole ones of a single node. Pods that ask for the same are one shape, and everything
that follows works on shapes.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from petahour.model.errors import ValidationError

WHOLE_MILLI = 1000  # one whole accelerator

POD_COLUMNS = ("name", "cpu_milli", "memory_mib", "num_gpu", "gpu_milli")
NODE_COLUMNS = ("sn", "cpu_milli", "memory_mib", "gpu", "model")


@dataclass(frozen=True, kw_only=True, slots=True)
class Shape:
    """What a pod asks for. ``gpu_milli`` is per accelerator; no ``models`` means that any will do."""

    cpu_milli: int
    memory_mib: int
    gpus: int = 0
    gpu_milli: int = 0
    models: frozenset[str] = frozenset()

    @property
    def demand_milli(self) -> int:
        """Thousandths of an accelerator that the pod takes in all."""
        return self.gpus * self.gpu_milli


@dataclass(frozen=True, kw_only=True, slots=True)
class Pods:
    """A workload: its distinct shapes, and for each pod of the file (in file order) which shape it has."""

    shapes: Sequence[Shape]
    shape: NDArray[np.int64]

    def popularity(self) -> NDArray[np.float64]:
        """The share of the pods that each shape makes up; the shares add up to 1."""
        counts = np.bincount(self.shape, minlength=len(self.shapes))
        return np.asarray(counts / len(self.shape), dtype=np.float64)


@dataclass(frozen=True, kw_only=True, slots=True)
class Nodes:
    """The cluster when empty: one entry per node. ``model`` indexes ``models``."""

    names: Sequence[str]
    models: Sequence[str]
    cpu_milli: NDArray[np.int64]
    memory_mib: NDArray[np.int64]
    gpus: NDArray[np.int64]
    model: NDArray[np.int64]

    @property
    def capacity_milli(self) -> int:
        """Thousandths of an accelerator in the whole cluster."""
        return int(self.gpus.sum()) * WHOLE_MILLI


def read_pods(path: Path) -> Pods:
    """The pods of a CSV file with the columns of ``POD_COLUMNS``; ``gpu_spec`` (``A|B``) may be missing.

    Raises ValidationError, naming the line, for a row that is short, repeats a name or asks for what no pod can.
    """
    index: dict[Shape, int] = {}
    taken: list[int] = []
    for line, row in _rows(path, POD_COLUMNS):
        shape = _shape(path, line, row)
        taken.append(index.setdefault(shape, len(index)))
    return Pods(shapes=tuple(index), shape=np.array(taken, dtype=np.int64))


def read_nodes(path: Path) -> Nodes:
    """The nodes of a CSV file with the columns of ``NODE_COLUMNS``. Raises ValidationError, naming the line."""
    names: list[str] = []
    models: dict[str, int] = {}
    numbers: list[tuple[int, int, int, int]] = []
    for line, row in _rows(path, NODE_COLUMNS):
        gpus = _number(path, line, row, "gpu")
        if gpus and not row["model"]:
            raise _wrong(path, line, "model", row["model"], "a node with accelerators names their model")
        names.append(row["sn"])
        model = models.setdefault(row["model"], len(models))
        numbers.append((_number(path, line, row, "cpu_milli"), _number(path, line, row, "memory_mib"), gpus, model))
    columns = np.array(numbers, dtype=np.int64)
    if not columns[:, 2].any():
        raise ValidationError(
            field=str(path), value=None, rule="no node has an accelerator", remedy="Give nodes with accelerators."
        )
    return Nodes(
        names=tuple(names),
        models=tuple(models),
        cpu_milli=columns[:, 0],
        memory_mib=columns[:, 1],
        gpus=columns[:, 2],
        model=columns[:, 3],
    )


def _rows(path: Path, columns: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Each data row with its line number; the first of ``columns`` is a name that may appear only once."""
    seen: dict[str, int] = {}
    reader = csv.DictReader(io.StringIO(_text(path), newline=""), restkey="", strict=True)
    last = 0
    try:
        missing = [column for column in columns if column not in (reader.fieldnames or ())]
        if missing:
            raise _wrong(path, 1, ", ".join(missing), reader.fieldnames, f"the header has {', '.join(columns)}")
        last = reader.line_num
        for row in reader:
            line, name = reader.line_num, row[columns[0]]
            if "" in row or None in row.values():
                raise _wrong(path, line, "row", name, "a row has one value per column of the header")
            if not name or name in seen:
                first = f", first on line {seen[name]}" if name else ""
                raise _wrong(path, line, columns[0], name, f"every name is given, and once{first}")
            seen[name] = last = line
            yield line, row
    except csv.Error as error:
        raise _wrong(path, last + 1, "row", str(error), "a row is well-formed CSV") from error
    if not seen:
        raise _wrong(path, 1, "rows", None, "the file has at least one data row")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ValidationError(
            field=str(path),
            value=str(error),
            rule="a readable text file in UTF-8",
            remedy="Check the path and the file.",
        ) from error


def _shape(path: Path, line: int, row: dict[str, str]) -> Shape:
    gpus = _number(path, line, row, "num_gpu")
    milli = _number(path, line, row, "gpu_milli")
    if gpus and not 0 < milli <= WHOLE_MILLI:
        raise _wrong(path, line, "gpu_milli", milli, f"a pod takes 1 to {WHOLE_MILLI} thousandths of an accelerator")
    if not gpus and milli:
        raise _wrong(path, line, "gpu_milli", milli, "a pod without accelerators takes no part of one")
    if gpus > 1 and milli != WHOLE_MILLI:
        raise _wrong(path, line, "gpu_milli", milli, "a pod with several accelerators takes whole ones")
    models = frozenset(name for name in row.get("gpu_spec", "").split("|") if name) if gpus else frozenset()
    return Shape(
        cpu_milli=_number(path, line, row, "cpu_milli"),
        memory_mib=_number(path, line, row, "memory_mib"),
        gpus=gpus,
        gpu_milli=milli,
        models=models,
    )


def _number(path: Path, line: int, row: dict[str, str], column: str) -> int:
    text = row[column].strip()
    if not (text.isascii() and text.isdigit()) or len(text) > 15:
        raise _wrong(path, line, column, row[column], "a whole number of at least 0 and at most 15 digits")
    return int(text)


def _wrong(path: Path, line: int, column: str, value: object, rule: str) -> ValidationError:
    return ValidationError(
        field=f"{path}:{line}: {column}", value=value, rule=rule, remedy="Correct the line or leave it out."
    )
