"""Memory of the fullest accelerator of a plan, by part, and whether it fits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from petahour.quoting.cases import Cases, Numbers
from petahour.quoting.step_time import local_parameters

# Bytes per parameter in mixed precision: 16-bit weights and gradients; 32-bit master weights and two moments.
WEIGHT_BYTES = 2.0
GRADIENT_BYTES = 2.0
OPTIMIZER_BYTES = 12.0

# Kept activations of one layer (Korthikanti et al. 2022, arXiv 2205.05198, section 4): bytes per token and hidden
# size that tensor parallelism does not split, bytes per element of the tensors that it splits, bytes per score where
# attention is not fused.
WIDE_BYTES = 10.0
WIDE_BYTES_FUSED = 8.0  # no dropout masks
SPLIT_BYTES = 2.0
SCORE_BYTES = 5.0

# Bytes per logit at the peak: 16-bit logits and their 32-bit copy and gradient; fused losses work in place.
LOGIT_BYTES = 10.0
LOGIT_BYTES_FUSED = 4.0

# Allocators fragment, and libraries and the driver take their part.
RESERVE = 0.10


@dataclass(frozen=True, kw_only=True, slots=True)
class MemoryUse:
    """Bytes on the fullest accelerator. ``reserve`` is for fragmentation, ``capacity`` what the chip has."""

    weights: Numbers
    gradients: Numbers
    optimizer: Numbers
    activations: Numbers
    reserve: Numbers
    capacity: Numbers

    @property
    def total(self) -> Numbers:
        """Everything, with the reserve."""
        return self.weights + self.gradients + self.optimizer + self.activations + self.reserve

    @property
    def part(self) -> Numbers:
        """The used part of the chip's memory; above 1 it does not fit."""
        return self.total / self.capacity


def memory_use(cases: Cases) -> MemoryUse:
    """What each case needs on its fullest accelerator: the first stage, or the last one for its logits."""
    plan = cases.plan
    dense, routed = local_parameters(cases)
    replicas = np.maximum(plan.dp / plan.ep, 1.0)
    weights, gradients, optimizer = (
        size
        * (dense / np.where(plan.zero >= stage, plan.dp, 1.0) + routed / np.where(plan.zero >= stage, replicas, 1.0))
        for size, stage in ((WEIGHT_BYTES, 3), (GRADIENT_BYTES, 2), (OPTIMIZER_BYTES, 1))
    )
    # ZeRO-3 holds two layers gathered at a time: the one that computes and the one that is fetched. Early programs
    # gathered tensor by tensor, about one layer in all.
    held = np.where(cases.batch.flash > 0, 2.0, 1.0)
    layer = (dense + routed) / np.maximum(np.ceil(cases.shape.layers / plan.pp), 1.0)
    weights = weights + np.where(plan.zero >= 3, held * WEIGHT_BYTES * layer, 0.0)
    return MemoryUse(
        weights=weights,
        gradients=gradients,
        optimizer=optimizer,
        activations=_activations(cases),
        reserve=RESERVE * cases.chip.memory_bytes,
        capacity=cases.chip.memory_bytes,
    )


def _activations(cases: Cases) -> Numbers:
    """Kept for the backward pass by the first stage, which has as many micro-batches in flight as there are stages;
    with the logits of the last stage, which has one, where that is more. Logits are gone when it recomputes."""
    shape, plan = cases.shape, cases.plan
    tokens = plan.micro_batch * cases.batch.sequence
    per_stage = np.ceil(shape.layers / plan.pp)
    whole = _layer_bytes(cases, tokens)
    scores = _score_bytes(cases)
    boundary = 2.0 * tokens * shape.hidden / np.where(plan.sequence_parallel > 0, plan.tp, 1.0)
    kept = np.where(plan.recompute > 1, boundary, np.where(plan.recompute > 0, whole, whole + scores))
    working = np.where(plan.recompute > 1, whole + scores, np.where(plan.recompute > 0, scores, 0.0))
    flying = np.minimum(plan.pp, np.ceil(cases.micro_batches))
    # Interleaving keeps up to (p - 1) / (p v) more micro-batches (arXiv 2205.05198, appendix C).
    flying = flying * np.where(plan.interleave > 1, 1.0 + (plan.pp - 1.0) / (plan.pp * plan.interleave), 1.0)
    logit = np.where(cases.batch.flash > 0, LOGIT_BYTES_FUSED, LOGIT_BYTES)
    logits = tokens * shape.vocabulary / plan.tp * logit
    first = kept * per_stage * flying + working
    last = kept * per_stage + np.maximum(working, logits)
    return np.asarray(np.maximum(first, last))


def _layer_bytes(cases: Cases, tokens: Numbers) -> Numbers:
    """Of one layer without scores."""
    shape, plan = cases.shape, cases.plan
    inner = shape.ffn + shape.expert_share * shape.per_token * shape.expert_ffn
    wide = np.where(cases.batch.flash > 0, WIDE_BYTES_FUSED, WIDE_BYTES) * shape.hidden
    wide = wide / np.where(plan.sequence_parallel > 0, plan.tp, 1.0)
    # A feed-forward block keeps its inner tensors before and after the activation: two, or three when gated.
    split = SPLIT_BYTES * (shape.projection + shape.context + shape.matrices * inner) / plan.tp
    return np.asarray(tokens * (wide + split))


def _score_bytes(cases: Cases) -> Numbers:
    maps = cases.plan.micro_batch * cases.shape.heads / cases.plan.tp * cases.batch.sequence**2
    return np.where(cases.batch.flash > 0, 0.0, SCORE_BYTES * maps)
