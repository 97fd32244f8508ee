"""Times of single operations on one accelerator: matrix products by shape, and what is bound by memory."""

from __future__ import annotations

import numpy as np

from petahour.quoting.cases import Chips, Numbers
from petahour.quoting.coefficients import Coefficients

HALF = 2.0  # bytes of a 16-bit number


def product_time(rows: Numbers, inner: Numbers, cols: Numbers, chip: Chips, fit: Coefficients) -> Numbers:
    """Seconds of a (rows x inner) by (inner x cols) product in 16 bits.

    The products of the model's size cost their operations; beside them stands the last wave of tiles, which runs
    partly empty (``wave_outputs`` result elements on average), and each tile's pipeline, which must fill
    (``fill_depth`` steps of the inner dimension). Never faster than the operands pass the memory.
    """
    rate = chip.peak_flops * fit.matrix
    compute = 2.0 * (rows * cols + fit.wave_outputs) * (inner + fit.fill_depth) / rate
    moved = HALF * (rows * inner + inner * cols + rows * cols)
    return np.maximum(compute, moved / (chip.bandwidth * fit.memory))


def product_backward_time(rows: Numbers, inner: Numbers, cols: Numbers, chip: Chips, fit: Coefficients) -> Numbers:
    """Seconds of the two products of a backward pass: the gradients of the input and of the weights."""
    return product_time(rows, cols, inner, chip, fit) + product_time(inner, rows, cols, chip, fit)


def traffic_time(moved_bytes: Numbers, chip: Chips, fit: Coefficients) -> Numbers:
    """Seconds to move that many bytes through the memory."""
    return moved_bytes / (chip.bandwidth * fit.memory)
