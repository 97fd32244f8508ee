"""Small clusters and workloads for the packing tests, drawn by hypothesis or written out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import strategies as st

from petahour.simulator.packing import Nodes, Pods, Shape

MODELS = ("ash", "birch", "cedar")

POD_HEADER = "name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec"
NODE_HEADER = "sn,cpu_milli,memory_mib,gpu,model"


def write(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def nodes_of(*rows: tuple[int, int, int, str]) -> Nodes:
    """Nodes from (cpu_milli, memory_mib, gpus, model)."""
    models = tuple(dict.fromkeys(row[3] for row in rows))
    return Nodes(
        names=tuple(f"n{i}" for i in range(len(rows))),
        models=models,
        cpu_milli=np.array([row[0] for row in rows], dtype=np.int64),
        memory_mib=np.array([row[1] for row in rows], dtype=np.int64),
        gpus=np.array([row[2] for row in rows], dtype=np.int64),
        model=np.array([models.index(row[3]) for row in rows], dtype=np.int64),
    )


def pods_of(*counted: tuple[Shape, int]) -> Pods:
    """A workload with so many pods of each shape."""
    indexes = [index for index, (_, count) in enumerate(counted) for _ in range(count)]
    return Pods(shapes=tuple(shape for shape, _ in counted), shape=np.array(indexes, dtype=np.int64))


@st.composite
def shapes(draw: st.DrawFn) -> Shape:
    gpus = draw(st.sampled_from((0, 1, 1, 1, 2, 4)))
    milli = 0 if gpus == 0 else 1000 if gpus > 1 else draw(st.sampled_from((110, 230, 470, 500, 810, 1000)))
    models = draw(st.frozensets(st.sampled_from(MODELS), max_size=2)) if gpus else frozenset()
    return Shape(
        cpu_milli=draw(st.sampled_from((0, 500, 4000, 9000, 16000))),
        memory_mib=draw(st.sampled_from((0, 1024, 20000))),
        gpus=gpus,
        gpu_milli=milli,
        models=models,
    )


@st.composite
def workloads(draw: st.DrawFn) -> Pods:
    """At least one shape that wants accelerators and fits on any model."""
    plain = Shape(cpu_milli=2000, memory_mib=512, gpus=1, gpu_milli=draw(st.sampled_from((300, 700, 1000))))
    others = draw(st.lists(shapes(), max_size=6, unique=True))
    distinct = dict.fromkeys([plain, *others])
    return pods_of(*((shape, draw(st.integers(1, 5))) for shape in distinct))


@st.composite
def clusters(draw: st.DrawFn) -> Nodes:
    rows = draw(
        st.lists(
            st.tuples(
                st.sampled_from((8000, 32000, 64000)),
                st.sampled_from((16384, 65536)),
                st.sampled_from((0, 1, 2, 4)),
                st.sampled_from(MODELS),
            ),
            min_size=1,
            max_size=6,
        )
    )
    return nodes_of(*rows, (32000, 65536, 4, MODELS[0]))
