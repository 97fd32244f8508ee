"""Measured trainings from files: each line a row to predict, or a line left out with the reason.

The columns are those of vTrain's ground truth (iteration times of GPT models on A100) and of MosaicML's table of FSDP
throughput; ``published.py`` reads published runs. Nothing here is fitted.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from petahour.catalog import load_catalog
from petahour.model.errors import PetahourError
from petahour.quoting.chips import Chip, chip_from_type
from petahour.quoting.flops import Recompute
from petahour.quoting.plan import ParallelPlan, check_plan
from petahour.quoting.transformer import Transformer
from petahour.quoting.workload import Training

Line = Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Row:
    """One measured training. ``plans`` are the layouts it may have had: one where the file states all, else those
    that agree with what it states. ``measured`` is in seconds per step, or accelerator-hours where ``hours``."""

    label: str
    model: str
    machine: str
    training: Training
    chip: Chip
    plans: tuple[ParallelPlan, ...]
    measured: float
    hours: bool = False

    @property
    def gang(self) -> int:
        return self.plans[0].gang


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """A line that is not predicted."""

    label: str
    reason: str


class UnusableError(Exception):
    """Why a line cannot be a row."""


def read_vtrain(path: Path, *, recompute: Recompute) -> list[Row | LeftOut]:
    """vTrain's ground truth. The programs were Megatron-LM without fused attention; those over several nodes
    recomputed everything, those in one node nothing."""

    def row(line: Line, label: str) -> Row:
        sequence, gang = whole(line, "sequence length"), whole(line, "# GPUs")
        model = gpt(
            name=f"gpt-h{whole(line, 'hidden size')}-l{whole(line, '# layers')}",
            layers=whole(line, "# layers"),
            hidden=whole(line, "hidden size"),
            heads=whole(line, "attention heads"),
            sequence=sequence,
        )
        plan = ParallelPlan(
            tp=whole(line, "tensor parallelism"),
            pp=whole(line, "pipeline parallelism"),
            dp=whole(line, "data parallelism"),
            micro_batch=whole(line, "micro batch"),
            recompute=recompute,
        )
        if plan.gang != gang:
            raise UnusableError(f"TP x PP x DP is {plan.gang}, not the {gang} GPUs")
        batch = whole(line, "global batch")
        return Row(
            label=f"{label} ({model.name}, batch {batch}, {plan})",
            model=model.name,
            machine=f"{gang} x A100",
            training=Training(
                model=model, tokens=batch * sequence, global_batch=batch, sequence=sequence, flash_attention=False
            ),
            chip=chip("a100-80g-sxm"),
            plans=(plan,),
            measured=number(line, "iteration time (ms)") / 1000.0,
        )

    return read(path, row)


# MosaicML's llm-foundry: layers, hidden size and heads of each size.
MPT = {
    "125m": (12, 768, 12),
    "350m": (24, 1024, 16),
    "760m": (24, 1536, 12),
    "1b": (24, 2048, 16),
    "3b": (32, 2560, 20),
    "7b": (32, 4096, 32),
    "13b": (40, 5120, 40),
    "30b": (48, 7168, 56),
    "70b": (80, 8192, 64),
}


def read_mosaicml(path: Path) -> list[Row | LeftOut]:
    """MosaicML's table: FSDP with fused attention."""

    def row(line: Line, label: str) -> Row:
        name = text(line, "Model").lower()
        if name not in MPT:
            raise UnusableError(f"the shape of model {name!r} is not known; known: {', '.join(MPT)}")
        if "fp8" in text(line, "Precision").lower():
            raise UnusableError("training in FP8 is not modelled")
        layers, hidden, heads = MPT[name]
        sequence, gang = whole(line, "SeqLen (T)"), whole(line, "# GPUs")
        batch, micro = whole(line, "GlobalBatchSize"), whole(line, "MicroBatchSize")
        model = gpt(
            name=f"mpt-{name}", layers=layers, hidden=hidden, heads=heads, sequence=sequence, vocabulary=50368
        )
        model = replace(model, norm_vectors=1, qkv_bias=False, output_bias=False, ffn_bias=False)
        plan = ParallelPlan(
            dp=gang,
            micro_batch=micro,
            recompute=Recompute.FULL if text(line, "Activation Checkpointing") == "True" else Recompute.NONE,
            zero=3 if text(line, "Sharding Strategy") == "FULL_SHARD" else 2,
        )
        return Row(
            label=f"{label} ({name}, {sequence} tokens, {gang} x {text(line, 'GPU')})",
            model=name,
            machine=f"{gang} x {text(line, 'GPU')}",
            training=Training(model=model, tokens=batch * sequence, global_batch=batch, sequence=sequence),
            chip=chip(text(line, "GPU")),
            plans=(plan,),
            measured=batch * sequence / number(line, "Throughput (T/s)"),
        )

    return read(path, row)


def gpt(*, name: str, layers: int, hidden: int, heads: int, sequence: int, vocabulary: int = 51200) -> Transformer:
    """A GPT-2-like model; the usual padded vocabulary where a file states none."""
    if hidden % heads:
        raise UnusableError(f"hidden size {hidden} is no multiple of {heads} heads")
    return Transformer(
        name=name,
        layers=layers,
        hidden=hidden,
        heads=heads,
        kv_heads=heads,
        head_size=hidden // heads,
        ffn=4 * hidden,
        vocabulary=vocabulary,
        gated=False,
        tied_embeddings=True,
        positions=sequence,
        norm_vectors=2,
        qkv_bias=True,
        output_bias=True,
        ffn_bias=True,
    )


# Names of chips in published tables that say less than the catalogue's.
SHORT_NAMES = {
    "a100": "a100-80g-sxm",
    "a100-40": "a100-40g-sxm",
    "a100-80": "a100-80g-sxm",
    "a800": "a800-80g-sxm",
    "h100": "h100-80g-sxm",
    "h800": "h800-80g-sxm",
    "h200": "h200-sxm",
    "b200": "b200-sxm",
    "v100": "v100-32g-sxm",
    "asc910": "ascend-910a",
    "s4000": "mtt-s4000",
    "tpuv4": "tpu-v4",
}


def chip(written: str) -> Chip:
    """The catalogue's chip behind a name as files write it."""
    name = written.strip().lower().replace("_", "-").replace("gb", "g")
    types = load_catalog().types
    for candidate in (name, SHORT_NAMES.get(name, ""), f"{name}-sxm"):
        if candidate in types:
            return chip_from_type(types[candidate])
    raise UnusableError(f"no type {written!r} in the catalogue")


def read(path: Path, make: Callable[[Line, str], Row]) -> list[Row | LeftOut]:
    """Every line of a file as a row, or left out with the reason."""
    return list(_rows(path, make))


def _rows(path: Path, make: Callable[[Line, str], Row]) -> Iterator[Row | LeftOut]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        for at, line in enumerate(csv.DictReader(file), start=2):
            label = f"line {at}"
            try:
                row = make(line, label)
                for plan in row.plans:
                    check_plan(plan, row.training)
                yield row
            except (UnusableError, PetahourError) as error:
                yield LeftOut(label=f"{label} {line.get('id') or ''}".strip(), reason=str(error))


def text(line: Line, column: str) -> str:
    """A cell that must not be empty."""
    value = (line.get(column) or "").strip()
    if not value:
        raise UnusableError(f"no {column!r}")
    return value


def number(line: Line, column: str) -> float:
    """A cell with a figure above zero."""
    written = text(line, column)
    try:
        value = float(written.replace(",", "").lstrip("~"))
    except ValueError:
        raise UnusableError(f"{column!r} is no number: {written!r}") from None
    if not math.isfinite(value) or value <= 0:
        raise UnusableError(f"{column!r} is not above zero: {written!r}")
    return value


def whole(line: Line, column: str) -> int:
    """A cell with a count."""
    value = number(line, column)
    if value != int(value):
        raise UnusableError(f"{column!r} is no whole number: {value}")
    return int(value)
