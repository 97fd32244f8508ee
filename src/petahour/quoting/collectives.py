"""Times of collective operations by size, place and number of members.

Ranks are numbered tensor-parallel first, then data-parallel, then by pipeline stage, as Megatron does: a group of
``members`` whose neighbours are ``stride`` ranks apart has domain / stride members in one link domain.
"""

from __future__ import annotations

import numpy as np

from petahour.quoting.cases import Chips, Numbers
from petahour.quoting.coefficients import Coefficients


def ring_time(size_bytes: Numbers, members: Numbers, stride: Numbers, chip: Chips, fit: Coefficients) -> Numbers:
    """Seconds in which each member passes on ``size_bytes`` x (members - 1) / members: an all-gather or a
    reduce-scatter of ``size_bytes``; an all-reduce is two of them.

    Inside a domain the link carries the ring; one over a part of the domain gets ``part_link`` of it, as it runs
    over fewer of the links and beside the other parts' rings. Between domains a ring crosses the border once for
    all members that it has inside, so that each of them lends its network port to it.
    """
    inside = np.clip(np.floor(chip.domain / stride), 1.0, members)
    crosses = members > inside
    share = size_bytes * (members - 1.0) / np.maximum(members, 1.0)
    whole = members * stride >= chip.domain
    link = share / (chip.link * fit.link * np.where(whole, 1.0, fit.part_link))
    network = share / (inside * chip.network * fit.network)
    slow = np.where(crosses, np.maximum(network, link * (inside > 1.0)), link)
    hops = np.log2(np.maximum(members, 1.0)) + 1.0
    delay = np.where(crosses, fit.network_delay * hops, fit.link_delay * (members - 1.0))
    return np.where(members > 1.0, slow + delay, 0.0)


def send_time(size_bytes: Numbers, stride: Numbers, gang: Numbers, chip: Chips, fit: Coefficients) -> Numbers:
    """Seconds to hand a tensor to the rank ``stride`` further on, in the next stage of a pipeline.

    Stages keep one pace, so that the slowest border counts: the network, unless the whole gang is in one domain.
    """
    rate = np.where(gang <= chip.domain, chip.link * fit.link, chip.network * fit.network)
    return size_bytes / rate + fit.send_delay


def exchange_time(size_bytes: Numbers, members: Numbers, stride: Numbers, chip: Chips, fit: Coefficients) -> Numbers:
    """Seconds of an all-to-all in which each member holds ``size_bytes`` for all members together."""
    inside = np.clip(np.floor(chip.domain / stride), 1.0, members)
    away = size_bytes * (members - inside) / np.maximum(members, 1.0)
    near = size_bytes * (inside - 1.0) / np.maximum(members, 1.0)
    delay = np.where(members > inside, fit.network_delay, fit.link_delay)
    time = away / (chip.network * fit.network) + near / (chip.link * fit.link) + delay
    return np.where(members > 1.0, time, 0.0)
