"""The time of one layer for one micro-batch: what the accelerator needs, by cause, and what its host needs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from petahour.quoting.cases import Cases, Numbers
from petahour.quoting.coefficients import Coefficients
from petahour.quoting.collectives import exchange_time, ring_time
from petahour.quoting.kernels import HALF, product_backward_time, product_time, traffic_time

# Passes over the scores of all heads where attention is not fused, in 16-bit tensors. Forward: write the products;
# read and write softmax; read, write and mask dropout; read for the context. Backward: the same ones in reverse,
# softmax reading two tensors.
SCORE_PASSES = 6.5
SCORE_PASSES_BACKWARD = 9.5

# Passes over tensors as wide as the hidden size, forward: two norms read and write; two residual additions with
# dropout read two tensors, write one and a mask. The backward pass reads each saved input besides the gradient.
WIDE_PASSES = 11.0
BACKWARD_PASSES = 1.7

ROUTED_PASSES = 4.0
TILE_ROWS = 128.0

# The part of a causal score matrix that fused attention computes, and its backward pass's multiple (Dao 2023,
# arXiv 2307.08691, section 4: 2.5 products for each forward one).
CAUSAL = 0.5
FUSED_BACKWARD = 2.5


@dataclass(frozen=True, kw_only=True, slots=True)
class LayerTime:
    """Seconds of one layer and micro-batch in one direction. ``compute`` are matrix products and fused attention,
    ``memory`` operations bound by bandwidth, ``network`` tensor- and expert-parallel collectives, ``host`` launches.
    """

    compute: Numbers
    memory: Numbers
    network: Numbers
    host: Numbers

    @property
    def device(self) -> Numbers:
        """What the accelerator needs in all."""
        return self.compute + self.memory + self.network


def forward_time(cases: Cases, fit: Coefficients) -> LayerTime:
    """One layer's forward pass."""
    return _layer(cases, fit, backward=False)


def backward_time(cases: Cases, fit: Coefficients) -> LayerTime:
    """One layer's backward pass, without what is recomputed."""
    return _layer(cases, fit, backward=True)


def attention_time(cases: Cases, fit: Coefficients) -> Numbers:
    """What selective recomputation repeats: scores, softmax and context."""
    compute, memory = _scores(cases, fit, backward=False)
    return compute + memory


def _layer(cases: Cases, fit: Coefficients, *, backward: bool) -> LayerTime:
    shape, plan, chip = cases.shape, cases.plan, cases.chip
    tokens = plan.micro_batch * cases.batch.sequence
    product = product_backward_time if backward else product_time
    compute = (
        product(tokens, shape.hidden, shape.projection / plan.tp, chip, fit)
        + product(tokens, shape.context / plan.tp, shape.hidden, chip, fit)
        + _block(tokens, shape.ffn / plan.tp, cases, fit, backward=backward)
    )
    # With e expert-parallel ranks a rank has 1/e of the experts and gets the tokens of e ranks: as many as it sends.
    # Its experts run as one grouped product, whose tiles fill waves together.
    routed = tokens * shape.per_token
    expert = _block(routed, shape.expert_ffn / plan.tp, cases, fit, backward=backward)
    many = np.where(shape.per_token > 0, expert * _grouping(routed, shape.experts / plan.ep), 0.0)
    scores, traffic = _scores(cases, fit, backward=backward)
    passes = BACKWARD_PASSES if backward else 1.0
    memory = traffic + traffic_time(_element_bytes(cases, tokens) * fit.element_traffic * passes, chip, fit)
    memory = memory + fit.kernel_gap * (2.0 if backward else 1.0)
    return LayerTime(
        compute=compute + scores + many * shape.expert_share * fit.imbalance,
        memory=memory,
        network=_network(cases, fit, tokens),
        host=_host(cases, fit) * (fit.host_backward if backward else 1.0),
    )


def _block(tokens: Numbers, inner: Numbers, cases: Cases, fit: Coefficients, *, backward: bool) -> Numbers:
    """A feed-forward block: up (twice as wide when gated) and down."""
    product = product_backward_time if backward else product_time
    shape, chip = cases.shape, cases.chip
    up = product(tokens, shape.hidden, inner * (shape.matrices - 1.0), chip, fit)
    down = product(tokens, inner, shape.hidden, chip, fit)
    return np.where(inner > 0, up + down, 0.0)


def _grouping(routed: Numbers, local: Numbers) -> Numbers:
    """What a grouped product costs more than a single one: each expert's rows are padded to a tile's."""
    rows = np.maximum(routed / local, 1.0)
    return np.ceil(rows / TILE_ROWS) * TILE_ROWS / rows


def _scores(cases: Cases, fit: Coefficients, *, backward: bool) -> tuple[Numbers, Numbers]:
    """(compute, memory) of scores, softmax and context."""
    shape, plan, chip = cases.shape, cases.plan, cases.chip
    sequence = cases.batch.sequence
    maps = plan.micro_batch * shape.heads / plan.tp * sequence * sequence
    size = shape.score_width / (2.0 * shape.heads)
    operations = 4.0 * maps * size
    fused = operations * CAUSAL * (FUSED_BACKWARD if backward else 1.0) / (chip.peak_flops * fit.fused_attention)
    # Products over one head's size fill their pipelines badly; the other ones run over the sequence.
    rate = chip.peak_flops * fit.matrix
    plain = (2.0 * maps * (size + fit.fill_depth) + 2.0 * maps * size * (1.0 + fit.fill_depth / sequence)) / rate
    passes = SCORE_PASSES_BACKWARD if backward else SCORE_PASSES
    traffic = traffic_time(HALF * maps * passes * fit.score_traffic, chip, fit)
    flash = cases.batch.flash
    return np.where(flash > 0, fused, plain * (2.0 if backward else 1.0)), np.where(flash > 0, 0.0, traffic)


def _element_bytes(cases: Cases, tokens: Numbers) -> Numbers:
    """Bytes of element-wise operations, forward. What tensor parallelism splits, and what only sequence
    parallelism does."""
    shape, plan = cases.shape, cases.plan
    inner = shape.ffn + shape.expert_share * shape.per_token * shape.expert_ffn
    split = (2.0 * (shape.projection + shape.context) + 2.0 * shape.matrices * inner) / plan.tp
    wide = WIDE_PASSES * shape.hidden / np.where(plan.sequence_parallel > 0, plan.tp, 1.0)
    # Tokens are copied into the order of their experts and back.
    routed = ROUTED_PASSES * shape.expert_share * shape.per_token * shape.hidden / plan.tp
    return HALF * tokens * (split + wide + routed)


def _network(cases: Cases, fit: Coefficients, tokens: Numbers) -> Numbers:
    """Two all-reduces of the activations for tensor parallelism (as gather and scatter under sequence parallelism,
    of the same size), and dispatch and combination of the routed tokens for expert parallelism."""
    shape, plan, chip = cases.shape, cases.plan, cases.chip
    size = HALF * tokens * shape.hidden
    one = np.ones_like(plan.tp)
    tensor = 4.0 * ring_time(size, plan.tp, one, chip, fit)
    expert = 2.0 * exchange_time(size * shape.per_token / plan.tp, plan.ep, plan.tp, chip, fit)
    return tensor + expert * shape.expert_share


def _host(cases: Cases, fit: Coefficients) -> Numbers:
    """Seconds in which the host launches a layer's forward pass. Routing to experts launches half as much again."""
    routing = np.where(cases.shape.per_token > 0, 1.5, 1.0)
    collectives = fit.host_tp * (cases.plan.tp - 1.0)
    return (fit.host_layer + collectives + fit.host_softmax * _unfused_softmax(cases)) * routing


def _unfused_softmax(cases: Cases) -> Numbers:
    """1 where the fused softmax of programs without fused attention does not apply: it handles heads by fours."""
    plan = cases.plan
    maps = plan.micro_batch * cases.shape.heads / plan.tp
    return np.where((cases.batch.flash > 0) | (maps % 4 == 0), 0.0, 1.0)
