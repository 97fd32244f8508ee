"""The gradients are those of the loss, and the text is the same every time."""

from __future__ import annotations

import numpy as np
import pytest

from petahour.cli.training.corpus import make_text
from petahour.cli.training.model import CONTEXT, initial, loss_and_gradients


@pytest.mark.parametrize("name", ["embedding", "hidden", "hidden_bias", "output", "output_bias"])
def test_gradients_match_finite_differences(name: str) -> None:
    draw = np.random.default_rng(3)
    contexts, targets = draw.integers(0, 7, (5, CONTEXT)), draw.integers(0, 7, 5)
    parameters = initial(7, seed=1)
    _, gradients = loss_and_gradients(parameters, contexts, targets)
    flat, step = parameters[name].reshape(-1), 1e-6
    for place in draw.integers(0, flat.size, 12):
        kept = flat[place]
        flat[place] = kept + step
        above, _ = loss_and_gradients(parameters, contexts, targets)
        flat[place] = kept - step
        below, _ = loss_and_gradients(parameters, contexts, targets)
        flat[place] = kept
        assert gradients[name].reshape(-1)[place] == pytest.approx((above - below) / (2 * step), rel=1e-4, abs=1e-6)


def test_the_text_is_made_alike_and_differs_by_seed() -> None:
    assert make_text(1) == make_text(1) != make_text(2)
    assert 20_000 < len(make_text()) < 60_000
