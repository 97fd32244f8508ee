"""The fitted parameters of the performance model: few, each with a physical meaning."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Coefficients:
    """How a chip family and its software deliver their figures. Times are in seconds.

    Fractions of the peak: ``matrix`` of large matrix products, ``fused_attention`` of fused attention kernels,
    ``memory`` of the memory's bandwidth, ``link`` and ``network`` of those links' bandwidth in collectives.
    ``wave_outputs`` are result elements that one product wastes in its last, partly filled wave of tiles;
    ``fill_depth`` the inner dimension that a tile's pipeline loses to filling. ``score_traffic`` and
    ``element_traffic`` scale the bytes counted for unfused attention and element-wise operations, 1 as counted;
    ``logit_bytes`` are moved per token and vocabulary entry for loss and its gradient. ``kernel_gap`` is lost
    between the kernels of a layer's forward pass.

    ``part_link`` is what a ring over a part of a link domain gets of the bandwidth of one over the whole domain.
    ``link_delay`` is paid by a collective per member, ``network_delay`` per doubling of members, ``send_delay`` by
    each hop of a pipeline, ``ring_hop`` by each member of a ring over nodes that gathers a part of the parameters.

    ``host_layer`` is the host's time to launch a layer's forward pass, ``host_tp`` what each further tensor-parallel
    rank adds, ``host_softmax`` what an unfused softmax does, ``host_backward`` the backward pass's multiple,
    ``host_repeat`` that of a forward pass computed again (the host saves and restores the state of random numbers
    and enters the program a second time), ``host_step`` what a step costs once; ``queue`` is the power by which the
    times of host and accelerator join (infinite: the longer one alone counts). ``hiding`` is the part of gradient
    and parameter traffic that computing can hide under itself. ``optimizer_bytes`` are moved per parameter of the
    local shard. ``straggling`` is the relative loss per doubling of nodes, ``imbalance`` the work of the busiest
    expert-parallel rank over the mean, ``repeated`` the part of a forward pass that full recomputation repeats
    (programs that stop early leave out the last product, whose result nobody needs).
    """

    matrix: float = 0.80
    wave_outputs: float = 1.2e6
    fill_depth: float = 60.0
    fused_attention: float = 0.45
    memory: float = 0.80
    score_traffic: float = 1.0
    element_traffic: float = 1.0
    logit_bytes: float = 30.0
    link: float = 0.70
    part_link: float = 1.0
    link_delay: float = 10e-6
    network: float = 0.70
    network_delay: float = 60e-6
    send_delay: float = 60e-6
    ring_hop: float = 4e-6
    host_layer: float = 0.8e-3
    host_tp: float = 0.05e-3
    host_softmax: float = 0.4e-3
    queue: float = 4.0
    kernel_gap: float = 60e-6
    host_backward: float = 2.0
    host_repeat: float = 1.5
    host_step: float = 10e-3
    hiding: float = 0.8
    optimizer_bytes: float = 30.0
    straggling: float = 0.005
    imbalance: float = 1.2
    repeated: float = 1.0
