"""Checkpoints: written whole, the last two kept, a damaged one passed over."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import numpy as np

from petahour.cli.training.model import Adam, Parameters

KEPT = 2


def save(directory: Path, step: int, parameters: Parameters, optimizer: Adam) -> Path:
    """Write ``step-N.npz`` by way of a temporary file; a crash leaves the earlier ones untouched."""
    directory.mkdir(parents=True, exist_ok=True)
    arrays = {f"parameter.{name}": value for name, value in parameters.items()}
    arrays |= {f"first.{name}": value for name, value in optimizer.first.items()}
    arrays |= {f"second.{name}": value for name, value in optimizer.second.items()}
    path = directory / f"step-{step:08d}.npz"
    temporary = path.with_suffix(".new")
    with temporary.open("wb") as file:
        np.savez(file, step=np.array(step), **arrays)  # type: ignore[arg-type]
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    for old in sorted(directory.glob("step-*.npz"))[:-KEPT]:
        old.unlink(missing_ok=True)
    return path


def load(directory: Path, parameters: Parameters, optimizer: Adam) -> int:
    """Fill both from the newest checkpoint that can be read; its step, or 0 when there is none."""
    for path in sorted(directory.glob("step-*.npz"), reverse=True):
        try:
            with path.open("rb") as file, np.load(file) as arrays:
                step = int(arrays["step"])
                read = {
                    kind: {name: arrays[f"{kind}.{name}"] for name in parameters}
                    for kind in ("parameter", "first", "second")
                }
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            print(f"checkpoint {path.name} cannot be read; trying the one before", flush=True)
            continue
        for name in parameters:
            parameters[name][...] = read["parameter"][name]
            optimizer.first[name][...] = read["first"][name]
            optimizer.second[name][...] = read["second"][name]
        optimizer.step = step
        return step
    return 0
