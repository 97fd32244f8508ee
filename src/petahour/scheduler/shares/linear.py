"""Linear programs, solved by HiGHS: rows are told as triplets; the answer is a vector and the rows' prices."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import highspy
import numpy as np
from numpy.typing import NDArray

from petahour.model.errors import InvariantError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


class Rows(NamedTuple):
    """``height`` rows of a sparse matrix: the value at each named row and column, 0 elsewhere."""

    height: int
    rows: Ints
    columns: Ints
    values: Floats

    def plus(self, column: int, values: Floats) -> Rows:
        """The same rows with one more column, a value for each row."""
        every = np.arange(self.height)
        return Rows(
            self.height,
            np.concatenate((self.rows, every)),
            np.concatenate((self.columns, np.full(self.height, column))),
            np.concatenate((self.values, values)),
        )


def per_job(values: Floats) -> Rows:
    """A row per job over the flat jobs x types: that job's values."""
    jobs, types = values.shape
    return Rows(jobs, np.repeat(np.arange(jobs), types), np.arange(jobs * types), values.ravel())


def per_type(values: Floats) -> Rows:
    """A row per type over the flat jobs x types: every job's value on that type."""
    jobs, types = values.shape
    return Rows(types, np.tile(np.arange(types), jobs), np.arange(jobs * types), values.ravel())


class Answer(NamedTuple):
    """``prices``: what one more unit of a row's bound would gain, by row; negative for a lower bound."""

    x: Floats
    prices: Floats


@dataclass(kw_only=True, slots=True)
class Program:
    """Maximise ``gain . x`` over ``x >= 0`` under rows ``low <= a . x <= high``, told block by block."""

    columns: int
    _blocks: list[Rows] = field(default_factory=list)
    _low: list[Floats] = field(default_factory=list)
    _high: list[Floats] = field(default_factory=list)
    _count: int = 0

    def add(self, block: Rows, *, low: Floats | None = None, high: Floats | None = None) -> slice:
        """Add rows; the slice of the program's rows that they are."""
        first = self._count
        self._blocks.append(block._replace(rows=block.rows + first))
        self._low.append(np.full(block.height, -np.inf) if low is None else low)
        self._high.append(np.full(block.height, np.inf) if high is None else high)
        self._count += block.height
        return slice(first, self._count)

    def solve(self, gain: Floats) -> Answer:
        """The best ``x``. Raises InvariantError where the program has none: who wrote it promised one."""
        solver = highspy.Highs()  # type: ignore[no-untyped-call]  # its constructor alone is not annotated
        solver.setOptionValue("output_flag", False)
        solver.setOptionValue("threads", 1)
        solver.passModel(self._model(gain))
        solver.run()
        status = solver.getModelStatus()
        if status != highspy.HighsModelStatus.kOptimal:
            raise InvariantError(rule="a program of shares has a bounded optimum", value=str(status))
        found = solver.getSolution()
        return Answer(np.array(found.col_value, dtype=np.float64), np.array(found.row_dual, dtype=np.float64))

    def _model(self, gain: Floats) -> highspy.HighsLp:
        rows = np.concatenate([block.rows for block in self._blocks])
        columns = np.concatenate([block.columns for block in self._blocks])
        values = np.concatenate([block.values for block in self._blocks])
        order = np.lexsort((columns, rows))
        model = highspy.HighsLp()
        model.num_col_, model.num_row_ = self.columns, self._count
        model.sense_ = highspy.ObjSense.kMaximize
        model.col_cost_ = gain
        model.col_lower_, model.col_upper_ = np.zeros(self.columns), np.full(self.columns, np.inf)
        model.row_lower_, model.row_upper_ = np.concatenate(self._low), np.concatenate(self._high)
        model.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
        model.a_matrix_.start_ = np.concatenate(([0], np.cumsum(np.bincount(rows, minlength=self._count))))
        model.a_matrix_.index_, model.a_matrix_.value_ = columns[order], values[order]
        return model
