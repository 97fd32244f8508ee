"""The experiment as a whole: capacity kept, nothing refused that fits, the same again for the same seed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.simulator.packing.samples import clusters, nodes_of, pods_of, workloads

from petahour.model.errors import InvariantError, ValidationError
from petahour.simulator.packing import LOST, RANKINGS, Nodes, Packed, Pods, Shape, pack
from petahour.simulator.packing.arrive import arrivals
from petahour.simulator.packing.cluster import Cluster

WHOLE = Shape(cpu_milli=1000, memory_mib=10, gpus=1, gpu_milli=1000)
HALF = Shape(cpu_milli=1000, memory_mib=10, gpus=1, gpu_milli=500)


def audit(nodes: Nodes, pods: Pods, run: Packed) -> None:
    """Recompute every node from the placements alone."""
    cpu, memory = nodes.cpu_milli.tolist(), nodes.memory_mib.tolist()
    gpus = [[1000] * count for count in nodes.gpus.tolist()]
    arrived = allocated = 0
    for i, index in enumerate(run.shape.tolist()):
        shape, node = pods.shapes[index], int(run.node[i])
        arrived += shape.demand_milli
        if node == LOST:
            assert run.slots[i] == ()
            for n, model in enumerate(nodes.models[m] for m in nodes.model):
                enough = sum(part >= shape.gpu_milli for part in gpus[n]) >= shape.gpus
                suits = not shape.models or model in shape.models
                assert not (suits and enough and cpu[n] >= shape.cpu_milli and memory[n] >= shape.memory_mib)
        else:
            assert not shape.models or nodes.models[nodes.model[node]] in shape.models
            assert len(set(run.slots[i])) == len(run.slots[i]) == shape.gpus
            cpu[node] -= shape.cpu_milli
            memory[node] -= shape.memory_mib
            for slot in run.slots[i]:
                gpus[node][slot] -= shape.gpu_milli
            assert min(cpu[node], memory[node], *gpus[node]) >= 0
            allocated += shape.demand_milli
        assert (arrived, allocated) == (run.arrived_milli[i], run.allocated_milli[i])


@settings(max_examples=60)
@given(nodes=clusters(), pods=workloads(), seed=st.integers(0, 9), ranking=st.sampled_from(list(RANKINGS)))
def test_capacity_is_never_exceeded_and_a_pod_that_fits_is_never_lost(
    nodes: Nodes, pods: Pods, seed: int, ranking: str
) -> None:
    audit(nodes, pods, pack(nodes, pods, ranking=ranking, seed=seed))


@pytest.mark.parametrize("ranking", list(RANKINGS))
def test_the_same_seed_packs_the_same_and_another_differs(ranking: str) -> None:
    nodes = nodes_of(*[(32000, 1000, 4, "ash")] * 5)
    pods = pods_of((WHOLE, 30), (HALF, 30), (Shape(cpu_milli=500, memory_mib=1), 20))
    first, again, other = (pack(nodes, pods, ranking=ranking, seed=seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first.shape, again.shape)
    np.testing.assert_array_equal(first.node, again.node)
    assert first.slots == again.slots
    assert first.shape.tolist() != other.shape.tolist()


def test_parts_of_accelerators_are_packed_so_that_whole_ones_stay_free() -> None:
    nodes = nodes_of((64000, 1000, 4, "ash"), (64000, 1000, 4, "ash"))
    pods = pods_of((HALF, 8), (WHOLE, 4))
    run = pack(nodes, pods, seed=1, load=1.0)
    assert run.final_share == 1.0
    assert LOST not in run.node


def test_pods_that_may_lie_anywhere_leave_the_scarce_model_to_those_that_need_it() -> None:
    nodes = nodes_of(*[(64000, 1000, 4, "ash")] * 6, (64000, 1000, 4, "birch"))
    needs = Shape(cpu_milli=1000, memory_mib=10, gpus=1, gpu_milli=1000, models=frozenset({"birch"}))
    pods = pods_of((WHOLE, 24), (needs, 4))
    for seed in range(5):
        assert pack(nodes, pods, seed=seed, load=1.0).final_share == 1.0


def test_arrivals_are_first_the_workload_itself_and_then_drawn_from_it() -> None:
    pods = pods_of((WHOLE, 6), (HALF, 4), (Shape(cpu_milli=1, memory_mib=1), 5))
    order = arrivals(pods, capacity_milli=20_000, load=1.3, seed=7)
    assert np.bincount(order[:15]).tolist() == [6, 4, 5]
    demand = np.cumsum([pods.shapes[index].demand_milli for index in order])
    assert demand[-1] >= 26_000 > demand[-2]
    assert len(arrivals(pods, capacity_milli=2_000, load=1.0, seed=7)) <= 15


def test_the_share_at_a_load_is_read_where_that_load_has_arrived() -> None:
    nodes = nodes_of(*[(10**6, 10**6, 8, "ash")] * 25)
    run = pack(nodes, pods_of((WHOLE, 10)), seed=1, load=1.3)
    assert run.share_at(0.5) == pytest.approx(0.5)
    assert run.share_at(1.2) == 1.0
    assert run.final_share == 1.0
    with pytest.raises(ValidationError, match="load"):
        run.share_at(1.5)


@pytest.mark.parametrize("load", [0.0, -1.0, float("nan"), float("inf")])
def test_a_load_that_is_not_positive_is_refused(load: float) -> None:
    with pytest.raises(ValidationError, match="load"):
        pack(nodes_of((9, 9, 1, "ash")), pods_of((HALF, 1)), load=load)


def test_an_unknown_ranking_and_a_workload_without_demand_are_refused() -> None:
    nodes = nodes_of((9, 9, 1, "ash"))
    with pytest.raises(ValidationError, match="best-fit"):
        pack(nodes, pods_of((HALF, 1)), ranking="luck")
    with pytest.raises(ValidationError, match="accelerator"):
        pack(nodes, pods_of((Shape(cpu_milli=1, memory_mib=1), 3)), ranking="best-fit")


@pytest.mark.parametrize(
    "shape",
    [
        Shape(cpu_milli=9, memory_mib=1, gpus=1, gpu_milli=500),
        Shape(cpu_milli=1, memory_mib=9, gpus=1, gpu_milli=500),
        Shape(cpu_milli=1, memory_mib=1, gpus=3, gpu_milli=1000),
    ],
)
def test_a_cluster_refuses_what_does_not_fit_and_stays_as_it_was(shape: Shape) -> None:
    cluster = Cluster(nodes_of((8, 8, 2, "ash")))
    with pytest.raises(InvariantError):
        cluster.place(shape, 0, 0)
    assert (cluster.cpu_left[0], cluster.memory_left[0], cluster.gpu_left[0].tolist()) == (8, 8, [1000, 1000])
