"""A checkpoint brings back every bit; a damaged one is passed over."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from petahour.cli.training import checkpoint
from petahour.cli.training.model import Adam, initial


def _trained(step: int) -> tuple[dict[str, np.ndarray], Adam]:
    parameters = initial(9, seed=step)
    optimizer = Adam(parameters)
    for _ in range(step):
        optimizer.update(parameters, {name: np.ones_like(value) for name, value in parameters.items()})
    return parameters, optimizer


def _fresh() -> tuple[dict[str, np.ndarray], Adam]:
    parameters = initial(9, seed=99)
    return parameters, Adam(parameters)


def test_what_was_saved_comes_back(tmp_path: Path) -> None:
    parameters, optimizer = _trained(3)
    checkpoint.save(tmp_path, 3, parameters, optimizer)
    found, moments = _fresh()
    assert checkpoint.load(tmp_path, found, moments) == 3
    for name in parameters:
        np.testing.assert_array_equal(found[name], parameters[name])
        np.testing.assert_array_equal(moments.second[name], optimizer.second[name])


def test_a_damaged_checkpoint_is_passed_over(tmp_path: Path) -> None:
    checkpoint.save(tmp_path, 2, *_trained(2))
    newest = checkpoint.save(tmp_path, 4, *_trained(4))
    newest.write_bytes(newest.read_bytes()[:200])
    assert checkpoint.load(tmp_path, *_fresh()) == 2


def test_only_two_are_kept_and_none_means_a_fresh_start(tmp_path: Path) -> None:
    assert checkpoint.load(tmp_path / "nothing", *_fresh()) == 0
    for step in (1, 2, 3):
        checkpoint.save(tmp_path, step, *_trained(step))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-00000002.npz", "step-00000003.npz"]
