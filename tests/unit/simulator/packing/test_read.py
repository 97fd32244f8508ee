from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.unit.simulator.packing.samples import NODE_HEADER, POD_HEADER, write

from petahour.model.errors import ValidationError
from petahour.simulator.packing import Shape, read_nodes, read_pods


def test_pods_of_one_shape_are_counted_together(tmp_path: Path) -> None:
    path = write(
        tmp_path / "pods.csv",
        POD_HEADER,
        "a,4000,1024,1,460,",
        "b,500,64,0,0,",
        "c,4000,1024,1,460,",
        "d,9000,2048,2,1000,birch|ash|ash",
    )
    pods = read_pods(path)
    assert pods.shapes == (
        Shape(cpu_milli=4000, memory_mib=1024, gpus=1, gpu_milli=460),
        Shape(cpu_milli=500, memory_mib=64),
        Shape(cpu_milli=9000, memory_mib=2048, gpus=2, gpu_milli=1000, models=frozenset({"ash", "birch"})),
    )
    assert pods.shape.tolist() == [0, 1, 0, 2]
    assert pods.popularity().tolist() == [0.5, 0.25, 0.25]
    assert [shape.demand_milli for shape in pods.shapes] == [460, 0, 2000]


def test_the_column_of_models_may_be_missing_and_others_may_be_there(tmp_path: Path) -> None:
    path = write(tmp_path / "pods.csv", "qos,name,cpu_milli,memory_mib,num_gpu,gpu_milli", "LS,a,1,2,1,1000")
    assert read_pods(path).shapes == (Shape(cpu_milli=1, memory_mib=2, gpus=1, gpu_milli=1000),)


def test_nodes_are_read_in_file_order(tmp_path: Path) -> None:
    path = write(tmp_path / "nodes.csv", NODE_HEADER, "x,96000,1024,8,birch", "y,32000,512,0,", "z,8000,64,1,birch")
    nodes = read_nodes(path)
    assert nodes.names == ("x", "y", "z")
    assert [nodes.models[m] for m in nodes.model] == ["birch", "", "birch"]
    np.testing.assert_array_equal(nodes.gpus, [8, 0, 1])
    np.testing.assert_array_equal(nodes.cpu_milli, [96000, 32000, 8000])
    np.testing.assert_array_equal(nodes.memory_mib, [1024, 512, 64])
    assert nodes.capacity_milli == 9000


@pytest.mark.parametrize(
    ("row", "field"),
    [
        ("b,-1,64,0,0,", "cpu_milli"),
        ("b,nan,64,0,0,", "cpu_milli"),
        ("b,1e3,64,0,0,", "cpu_milli"),
        ("b,500,,0,0,", "memory_mib"),
        ("b,500,64,1,0,", "gpu_milli"),
        ("b,500,64,1,1001,", "gpu_milli"),
        ("b,500,64,2,500,", "gpu_milli"),
        ("b,500,64,0,500,", "gpu_milli"),
        ("b,500,64,1", "row"),
        ("b,500,64,1,500,ash,more", "row"),
        ("a,500,64,1,500,", "name"),
        (",500,64,1,500,", "name"),
        ('b,500,64,1,500,"ash', "row"),
        ("b,9999999999999999,64,1,500,", "cpu_milli"),
    ],
)
def test_a_wrong_pod_is_refused_with_its_line(tmp_path: Path, row: str, field: str) -> None:
    path = write(tmp_path / "pods.csv", POD_HEADER, "a,500,64,1,500,", row)
    with pytest.raises(ValidationError) as refused:
        read_pods(path)
    assert refused.value.field.endswith(f"pods.csv:3: {field}")


@pytest.mark.parametrize(
    ("rows", "field"),
    [
        (["x,1,1,2,"], "nodes.csv:2: model"),
        (["x,1,1,two,ash"], "nodes.csv:2: gpu"),
        (["x,1,1,1,ash", "x,1,1,1,ash"], "nodes.csv:3: sn"),
        (["x,1,1,0,"], "nodes.csv"),
        ([], "nodes.csv:1: rows"),
    ],
)
def test_wrong_nodes_are_refused(tmp_path: Path, rows: list[str], field: str) -> None:
    with pytest.raises(ValidationError) as refused:
        read_nodes(write(tmp_path / "nodes.csv", NODE_HEADER, *rows))
    assert refused.value.field.endswith(field)


def test_a_header_without_a_column_a_missing_file_and_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="gpu_milli"):
        read_pods(write(tmp_path / "pods.csv", "name,cpu_milli,memory_mib,num_gpu", "a,1,1,0"))
    with pytest.raises(ValidationError, match="readable"):
        read_nodes(tmp_path / "none.csv")
    (tmp_path / "bytes.csv").write_bytes(b"sn,\xff\xfe\n")
    with pytest.raises(ValidationError, match="readable"):
        read_nodes(tmp_path / "bytes.csv")
