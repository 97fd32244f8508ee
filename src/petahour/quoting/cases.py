"""Many trainings or many plans of one training as columns of numbers, so that one call prices them all.

Every field is an array of one value per case, or of a single value that holds for all cases.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from petahour.quoting.chips import Chip
from petahour.quoting.flops import Recompute
from petahour.quoting.transformer import Transformer

Numbers: TypeAlias = npt.NDArray[np.float64]

RECOMPUTE_CODES = {Recompute.NONE: 0.0, Recompute.SELECTIVE: 1.0, Recompute.FULL: 2.0}


@dataclass(frozen=True, kw_only=True, slots=True)
class Shapes:
    """Columns of Transformer. ``query``, ``key`` and ``value`` are widths of all heads together, in elements;
    ``score_width`` is the width that the scores are computed over, ``matrices`` of a feed-forward block is 2, or 3
    when gated. ``layer_parameters`` are of one dense layer, or of one expert layer without its routed experts."""

    layers: Numbers
    hidden: Numbers
    heads: Numbers
    projection: Numbers
    context: Numbers
    score_width: Numbers
    ffn: Numbers
    matrices: Numbers
    vocabulary: Numbers
    parameters: Numbers
    embedding: Numbers
    experts: Numbers
    per_token: Numbers
    expert_ffn: Numbers
    expert_share: Numbers
    expert_parameters: Numbers


@dataclass(frozen=True, kw_only=True, slots=True)
class Batches:
    """Columns of a training: sequence length, sequences per step, and whether attention is fused (1) or not (0)."""

    sequence: Numbers
    global_batch: Numbers
    flash: Numbers


@dataclass(frozen=True, kw_only=True, slots=True)
class Plans:
    """Columns of ParallelPlan. ``zero`` is the ZeRO stage 0-3; ``recompute`` 0 none, 1 selective, 2 full."""

    tp: Numbers
    pp: Numbers
    dp: Numbers
    ep: Numbers
    micro_batch: Numbers
    interleave: Numbers
    recompute: Numbers
    zero: Numbers
    sequence_parallel: Numbers

    @property
    def gang(self) -> Numbers:
        """Accelerators of each plan."""
        return self.tp * self.pp * self.dp


@dataclass(frozen=True, kw_only=True, slots=True)
class Chips:
    """Columns of Chip, in its units."""

    peak_flops: Numbers
    memory_bytes: Numbers
    bandwidth: Numbers
    link: Numbers
    domain: Numbers
    network: Numbers


@dataclass(frozen=True, kw_only=True, slots=True)
class Cases:
    """What is priced: a shape, a batch, a plan and a chip per case."""

    shape: Shapes
    batch: Batches
    plan: Plans
    chip: Chips

    @property
    def micro_batches(self) -> Numbers:
        """Micro-batches that one pipeline runs per step. A part of one where the batch does not divide: programs want
        a batch that does, and the nearest one is meant."""
        return np.maximum(self.batch.global_batch / (self.plan.dp * self.plan.micro_batch), 1.0)


def shape_columns(model: Transformer) -> Shapes:
    """A transformer as columns of one value."""
    if model.latent is None:
        context = model.heads * model.head_size
        score_width = 2.0 * context
    else:
        context = model.heads * model.latent.value_size
        key = model.latent.content_size + model.latent.position_size
        score_width = float(context + model.heads * key)
    experts = model.experts
    one = _columns(
        layers=model.layers,
        hidden=model.hidden,
        heads=model.heads,
        projection=(model.attention_parameters - context * model.hidden) / model.hidden,
        context=context,
        score_width=score_width,
        ffn=_every_token_ffn(model),
        matrices=3 if model.gated else 2,
        vocabulary=model.vocabulary,
        parameters=model.parameters,
        embedding=model.embedding_parameters,
        experts=experts.count if experts else 1,
        per_token=experts.per_token if experts else 0,
        expert_ffn=experts.ffn if experts else 0,
        expert_share=model.moe_layers / model.layers,
        expert_parameters=model.expert_parameters,
    )
    return Shapes(**one)


def chip_columns(chip: Chip) -> Chips:
    """A chip as columns of one value."""
    return Chips(**_columns(**{field.name: getattr(chip, field.name) for field in fields(Chips)}))


def columns(**values: float | Numbers) -> dict[str, Numbers]:
    """Numbers and arrays as columns that broadcast against one another."""
    return _columns(**values)


def _columns(**values: float | Numbers) -> dict[str, Numbers]:
    return {name: np.atleast_1d(np.asarray(value, dtype=np.float64)) for name, value in values.items()}


def _every_token_ffn(model: Transformer) -> float:
    """The mean inner size that every token passes in a layer, dense layers and shared experts taken together."""
    experts = model.experts
    if experts is None:
        return float(model.ffn)
    return (experts.dense_layers * model.ffn + model.moe_layers * experts.shared_ffn) / model.layers
