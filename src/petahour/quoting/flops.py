"""Floating-point operations of training, by the two conventions that are often mixed up.

*Model FLOPs* are what the mathematics needs: 6 per active parameter and token, plus attention. *Hardware FLOPs* are
what the chip executes, recomputation included. A report of 150 TFLOPS may mean either; they differ by a third.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from petahour.quoting.transformer import Transformer


class Recompute(StrEnum):
    """Which activations are computed again in the backward pass instead of kept (Korthikanti et al. 2022)."""

    NONE = "none"
    SELECTIVE = "selective"
    FULL = "full"


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenFlops:
    """FLOPs of one token. ``six_nd`` is 6 x active parameters; ``model`` counts matrices and attention exactly;
    ``hardware`` adds what is computed twice."""

    six_nd: float
    model: float
    hardware: float


def token_flops(model: Transformer, sequence: int, recompute: Recompute, *, causal: bool = False) -> TokenFlops:
    """FLOPs per trained token, forward and backward.

    Attention over ``sequence`` tokens counts 12 x layers x heads x head size x sequence, as Narayanan et al. 2021
    (arXiv 2104.04473, eq. 3) do; ``causal`` counts only the half below the diagonal that fused kernels compute.
    The embedding lookup multiplies nothing; the output matrix does.
    """
    layers = model.active_parameters - model.embedding_parameters
    key = model.head_size if model.latent is None else model.latent.content_size + model.latent.position_size
    value = model.head_size if model.latent is None else model.latent.value_size
    scores = 2 * sequence * model.heads * (key + value) * model.layers * (0.5 if causal else 1.0)
    forward = 2 * layers + scores
    exact = 3 * (forward + 2 * model.hidden * model.vocabulary)
    again = {Recompute.NONE: 0.0, Recompute.SELECTIVE: scores, Recompute.FULL: forward}[recompute]
    return TokenFlops(six_nd=6.0 * model.active_parameters, model=float(exact), hardware=exact + again)
