"""The measure against the definition written out in loops."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.unit.simulator.packing.samples import MODELS, clusters, nodes_of, pods_of, workloads

from petahour.model.errors import ValidationError
from petahour.simulator.packing import Nodes, Pods, Shape
from petahour.simulator.packing.cluster import Cluster
from petahour.simulator.packing.fragment import Expected, Measure, expected, typical
from petahour.simulator.packing.rank import RANKINGS


def fragmentation(pods: Expected, model: str, cpu: int, memory: int, left: list[int], reach: float | None) -> float:
    """F by its definition: each shape's fragment, weighted; ``reach`` None is the paper's."""
    found = 0.0
    for shape, weight in zip(pods.shapes, pods.weights.tolist(), strict=True):
        enough = [part for part in left if part >= shape.gpu_milli]
        suits = not shape.models or model in shape.models
        takes = suits and cpu >= shape.cpu_milli and memory >= shape.memory_mib and len(enough) >= shape.gpus
        usable = float(sum(enough)) if takes else 0.0
        if takes and reach is not None:
            for free, wanted in ((cpu, shape.cpu_milli), (memory, shape.memory_mib)):
                if wanted:
                    usable = min(usable, reach * shape.demand_milli * free / wanted)
        found += weight * (sum(left) - usable)
    return found


lefts = st.lists(st.sampled_from((0, 90, 230, 469, 470, 500, 810, 1000, 1000)), min_size=4, max_size=4)


@given(
    pods=workloads(),
    left=lefts,
    cpu=st.integers(0, 40000),
    memory=st.integers(0, 40000),
    model=st.sampled_from(MODELS),
    reach=st.sampled_from((None, 1.0, 2.0)),
)
def test_usable_and_fragment_add_up_to_what_is_free(
    pods: Pods, left: list[int], cpu: int, memory: int, model: str, reach: float | None
) -> None:
    wanted = expected(pods, nodes_of(*((1, 1, 1, name) for name in MODELS)))
    measure = Measure(wanted, MODELS, reach=reach)
    host = measure.hosts(np.array([MODELS.index(model)]), np.array([cpu]), np.array([memory]))
    usable = float(measure.usable(host, np.array([left]))[0])
    assert sum(left) - usable == pytest.approx(fragmentation(wanted, model, cpu, memory, left, reach), abs=1e-6)


@settings(max_examples=60)
@given(nodes=clusters(), pods=workloads(), data=st.data(), name=st.sampled_from(("petahour", "fgd")))
def test_scores_order_nodes_and_slots_by_the_change_of_fragmentation(
    nodes: Nodes, pods: Pods, data: st.DataObject, name: str
) -> None:
    cluster = Cluster(nodes)
    slots = cluster.gpu_left.shape[1]
    drawn = data.draw(st.lists(lefts, min_size=len(nodes.names), max_size=len(nodes.names)))
    cluster.gpu_left = np.minimum(cluster.gpu_left, np.array(drawn)[:, :slots])
    shape = data.draw(st.sampled_from(pods.shapes))
    able = np.flatnonzero(cluster.fits(shape, np.arange(len(nodes.names))))
    assume(len(able) > 0)
    score, slot = RANKINGS[name](cluster, pods, 1)(shape, able)
    wanted = expected(pods, nodes) if name == "petahour" else typical(pods)
    reach = 2.0 if name == "petahour" else None

    def fall(node: int, at: int | None) -> float:
        model, left = nodes.models[nodes.model[node]], cluster.gpu_left[node].tolist()
        cpu, memory = int(cluster.cpu_left[node]), int(cluster.memory_left[node])
        before = fragmentation(wanted, model, cpu, memory, left, reach)
        if at is None:
            whole = [j for j, part in enumerate(left) if part == 1000][: shape.gpus]
            left = [0 if j in whole else part for j, part in enumerate(left)]
        else:
            left[at] -= shape.gpu_milli
        cpu, memory = cpu - shape.cpu_milli, memory - shape.memory_mib
        return before - fragmentation(wanted, model, cpu, memory, left, reach)

    shared = shape.gpus == 1 and shape.gpu_milli < 1000
    for row, node in enumerate(able.tolist()):
        fitting = [j for j, part in enumerate(cluster.gpu_left[node]) if part >= shape.gpu_milli]
        falls = [fall(node, j) for j in fitting] if shared else [fall(node, None)]
        if shared:
            assert fall(node, int(slot[row])) == pytest.approx(max(falls), abs=1e-6)
        if name == "petahour":  # a constant less, and less the tie-break of at most two millionths
            free = shape.demand_milli * float(wanted.weights.sum())
            assert score[row] == pytest.approx(max(falls) - free, abs=1e-5)
        else:
            absent = shape.demand_milli * (1 - float(wanted.weights.sum()))  # pods that can use no accelerator
            share = 100 / (1 + np.exp(-(max(falls) + absent) / 1000))
            assert score[row] <= share + 1e-6
            assert score[row] > share - 2 - 1e-6


def test_free_accelerators_beyond_the_hosts_reach_are_fragment() -> None:
    shape = Shape(cpu_milli=8000, memory_mib=0, gpus=1, gpu_milli=1000)
    pods = Expected(shapes=(shape,), weights=np.array([1.0]))
    left = np.full((1, 8), 1000)
    for reach, usable in ((None, 8000.0), (1.0, 2000.0), (2.0, 4000.0)):
        measure = Measure(pods, ("ash",), reach=reach)
        host = measure.hosts(np.array([0]), np.array([16000]), np.array([0]))
        assert measure.usable(host, left).tolist() == [usable]


def test_a_shape_that_only_a_scarce_model_serves_weighs_more() -> None:
    anywhere = Shape(cpu_milli=1, memory_mib=1, gpus=1, gpu_milli=1000)
    scarce = Shape(cpu_milli=1, memory_mib=1, gpus=1, gpu_milli=1000, models=frozenset({"birch"}))
    nowhere = Shape(cpu_milli=1, memory_mib=1, gpus=1, gpu_milli=1000, models=frozenset({"yew"}))
    host_only = Shape(cpu_milli=1, memory_mib=1)
    nodes = nodes_of((9, 9, 6, "ash"), (9, 9, 2, "birch"))
    found = expected(pods_of((anywhere, 4), (scarce, 2), (nowhere, 2), (host_only, 2)), nodes)
    assert found.shapes == (anywhere, scarce)
    assert found.weights.tolist() == pytest.approx([1 / 3, 2 / 3])  # 0.4 x 8/8 and 0.2 x 8/2
    with pytest.raises(ValidationError, match="models"):
        expected(pods_of((nowhere, 1), (host_only, 1)), nodes)


def test_typical_pods_are_the_most_popular_whatever_memory_they_want() -> None:
    def shape(memory_mib: int, gpu_milli: int) -> Shape:
        return Shape(cpu_milli=1, memory_mib=memory_mib, gpus=1, gpu_milli=gpu_milli)

    host_only = Shape(cpu_milli=1, memory_mib=1)
    found = typical(
        pods_of((shape(5, 100), 30), (shape(7, 100), 30), (shape(5, 200), 37), (host_only, 100), (shape(5, 300), 3))
    )
    assert found.shapes == (shape(0, 100), shape(0, 200))
    assert found.weights.tolist() == pytest.approx([60 / 197, 37 / 197])
