"""The time of one optimizer step: layers into stages, stages into a pipeline, gradients, optimizer."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from petahour.quoting.cases import Cases, Numbers
from petahour.quoting.coefficients import Coefficients
from petahour.quoting.collectives import ring_time, send_time
from petahour.quoting.kernels import HALF, product_backward_time, product_time, traffic_time
from petahour.quoting.layer_time import LayerTime, attention_time, backward_time, forward_time

TENSORS_OF_LAYER = 12.0
HOPS_IN_DOMAIN = 8.0


@dataclass(frozen=True, kw_only=True, slots=True)
class StepTime:
    """Seconds of one step, and what they consist of. The parts sum to ``total``.

    ``compute``, ``memory``, ``network`` and ``host`` are what a stage of the pipeline spends on its micro-batches;
    ``bubble`` is its wait for the others, ``gradients`` the exposed traffic of data parallelism.
    """

    total: Numbers
    compute: Numbers
    memory: Numbers
    network: Numbers
    host: Numbers
    bubble: Numbers
    gradients: Numbers
    optimizer: Numbers


def step_time(cases: Cases, fit: Coefficients) -> StepTime:
    """The step time of every case.

    A pipeline of p stages and m micro-batches takes (m + (p - 1) / v) paces with v interleaved parts per stage
    (Narayanan et al. 2021, arXiv 2104.04473, section 2.2); the pace is the slowest stage's.
    """
    plan = cases.plan
    per_stage = np.ceil(cases.shape.layers / plan.pp)
    forward, backward = forward_time(cases, fit), backward_time(cases, fit)
    again = _recompute(cases, forward, fit)
    body = _joined(forward, fit) + _joined(backward, fit) + again
    ends_compute, ends_memory = _ends(cases, fit)
    ends = ends_compute + ends_memory
    hop = np.where(plan.pp > 1, 2.0 * plan.interleave * _hop(cases, fit), 0.0)
    exposed_gather = _parameter_traffic(cases, per_stage * body + ends / plan.pp, fit)
    pace = per_stage * body + hop + ends + exposed_gather
    mean = pace - ends * (1.0 - 1.0 / plan.pp)
    count = cases.micro_batches
    busy = count * pace
    bubble = (plan.pp - 1.0) * mean / plan.interleave
    gradients = _gradient_time(cases, per_stage * _joined(backward, fit), fit) + count * exposed_gather
    optimizer = _optimizer_time(cases, fit)
    nodes = np.maximum(plan.gang / cases.chip.domain, 1.0)
    drag = 1.0 + fit.straggling * np.log2(nodes)
    total = (busy + bubble + gradients - count * exposed_gather + optimizer) * drag
    causes = _causes(cases, forward, backward, fit)
    scale = count * per_stage * body / np.maximum(sum(causes), 1e-30)
    compute, memory, network, host = (cause * scale for cause in causes)
    return StepTime(
        total=total,
        compute=(compute + count * ends_compute) * drag,
        memory=(memory + count * ends_memory) * drag,
        network=(network + count * hop) * drag,
        host=host * drag,
        bubble=bubble * drag,
        gradients=gradients * drag,
        optimizer=optimizer * drag,
    )


def _joined(layer: LayerTime, fit: Coefficients) -> Numbers:
    """Seconds of a pass over one layer, of host and accelerator together.

    They run beside each other, joined by a queue that is neither empty nor full all the time: the longer of the two
    counts, and a little of the shorter one.
    """
    joined = (layer.host**fit.queue + layer.device**fit.queue) ** (1.0 / fit.queue)
    return np.asarray(joined)


def _recompute(cases: Cases, forward: LayerTime, fit: Coefficients) -> Numbers:
    """Seconds per layer for what is computed again."""
    kind = cases.plan.recompute
    again = _joined(replace(forward, host=forward.host * fit.host_repeat), fit) * fit.repeated
    return np.where(kind > 1, again, np.where(kind > 0, attention_time(cases, fit), 0.0))


def _ends(cases: Cases, fit: Coefficients) -> tuple[Numbers, Numbers]:
    """(compute, memory) of a micro-batch's output matrix, loss and gradient on the last stage."""
    shape, plan, chip = cases.shape, cases.plan, cases.chip
    tokens = plan.micro_batch * cases.batch.sequence
    cols = shape.vocabulary / plan.tp
    compute = product_time(tokens, shape.hidden, cols, chip, fit)
    compute = compute + product_backward_time(tokens, shape.hidden, cols, chip, fit)
    return compute, traffic_time(tokens * cols * fit.logit_bytes, chip, fit)


def _hop(cases: Cases, fit: Coefficients) -> Numbers:
    """Seconds to hand a micro-batch's activations to the next stage."""
    plan = cases.plan
    size = HALF * plan.micro_batch * cases.batch.sequence * cases.shape.hidden
    sent = send_time(size / plan.tp, plan.tp * plan.dp, plan.gang, cases.chip, fit)
    return sent + ring_time(size, plan.tp, np.ones_like(plan.tp), cases.chip, fit)


def local_parameters(cases: Cases) -> tuple[Numbers, Numbers]:
    """Parameters that one rank computes with, before ZeRO: (shared by its data-parallel group, routed experts).

    The fullest stage is meant: the embedding is on the first one.
    """
    shape, plan = cases.shape, cases.plan
    layers = (shape.parameters - shape.embedding - shape.expert_parameters) / plan.pp
    dense = (layers + shape.embedding / np.minimum(plan.pp, 2.0)) / plan.tp
    return dense, shape.expert_parameters / (plan.pp * plan.tp * plan.ep)


def _parameter_traffic(cases: Cases, computing: Numbers, fit: Coefficients) -> Numbers:
    """Exposed seconds per micro-batch in which ZeRO-3 gathers parameters, forward and backward, and scatters
    gradients: what does not fit under the computing of the micro-batch, and the delays of the rings, which grow with
    the gang. Early programs gathered each tensor of a layer by itself."""
    plan = cases.plan
    dense, routed = local_parameters(cases)
    moving = 3.0 * ring_time(HALF * (dense + routed), plan.dp, plan.tp, cases.chip, fit)
    exposed = moving - np.minimum(moving, computing) * fit.hiding
    tensors = np.where(cases.batch.flash > 0, 1.0, TENSORS_OF_LAYER) * np.ceil(cases.shape.layers / plan.pp)
    inside = np.clip(np.floor(cases.chip.domain / plan.tp), 1.0, plan.dp)
    # Members of one domain beside each other cost a ring little; those of many small domains are hops one by one.
    hops = 3.0 * tensors * (plan.dp / inside - 1.0) * np.minimum(inside, HOPS_IN_DOMAIN)
    return np.where((plan.zero > 2) & (plan.dp > 1), exposed + hops * fit.ring_hop, 0.0)


def _gradient_time(cases: Cases, computing: Numbers, fit: Coefficients) -> Numbers:
    """Exposed seconds to sum gradients over the data-parallel group once per step (ZeRO 0-2). Modern programs do
    it under the last micro-batch's backward pass."""
    plan = cases.plan
    dense, routed = local_parameters(cases)
    moving = 2.0 * ring_time(HALF * dense, plan.dp, plan.tp, cases.chip, fit)
    moving = moving + 2.0 * ring_time(HALF * routed, plan.dp / plan.ep, plan.tp * plan.ep, cases.chip, fit)
    hidden = np.minimum(moving, computing) * fit.hiding * np.where(cases.batch.flash > 0, 1.0, 0.0)
    return np.where((plan.zero < 3) & (plan.dp > 1), moving - hidden, 0.0)


def _optimizer_time(cases: Cases, fit: Coefficients) -> Numbers:
    """Seconds to update the local shard of the parameters."""
    plan = cases.plan
    dense, routed = local_parameters(cases)
    shards = np.where(plan.zero > 0, plan.dp, 1.0)
    held = dense / shards + routed / np.where(plan.zero > 0, np.maximum(plan.dp / plan.ep, 1.0), 1.0)
    return traffic_time(held * fit.optimizer_bytes, cases.chip, fit) + fit.host_step


def _causes(
    cases: Cases, forward: LayerTime, backward: LayerTime, fit: Coefficients
) -> tuple[Numbers, Numbers, Numbers, Numbers]:
    """Compute, memory, network and host time of a layer, in proportions to share out what was joined."""
    twice = np.where(cases.plan.recompute > 1, 1.0 + fit.repeated, 1.0)
    compute = twice * forward.compute + backward.compute
    memory = twice * forward.memory + backward.memory
    network = twice * forward.network + backward.network
    repeated = np.maximum(forward.host * fit.host_repeat - forward.device, 0.0) * (twice - 1.0)
    waiting = np.maximum(forward.host - forward.device, 0.0) + repeated
    return compute, memory, network, waiting + np.maximum(backward.host - backward.device, 0.0)
