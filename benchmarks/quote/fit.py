"""Fits the shipped calibration to measured trainings, and says how it does on models and machines it has not seen.

    python benchmarks/quote/fit.py --vtrain-multi FILE --vtrain-single FILE --mosaicml FILE --runs FILE [--write]

Files may also be given by the variables PETAHOUR_VTRAIN_MULTI, PETAHOUR_VTRAIN_SINGLE, PETAHOUR_MOSAICML and
PETAHOUR_RUNS. ``--write`` renews src/petahour/quoting/data/calibration.toml, residual intervals included; these come
from the residuals on fitted models and, by cross-validation, on models that were not fitted.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
from fitting import Numbers, balanced, fit, left_out_ratios, log_ratio
from measured import Row, read_mosaicml, read_vtrain
from published import read_runs

from petahour.quoting import calibration
from petahour.quoting.calibration import Calibration, Spread
from petahour.quoting.coefficients import Coefficients
from petahour.quoting.estimate import estimate
from petahour.quoting.flops import Recompute

TARGET = Path(__file__).resolve().parents[2] / "src" / "petahour" / "quoting" / "data" / "calibration.toml"
NODE = 8

# The rows with fused attention have no tensor or pipeline parallelism; they are bound by FSDP's traffic instead.
UNSEEN = ("score_traffic", "host_softmax", "host_tp", "link_delay", "part_link", "send_delay")
FUSED = {"hiding": 0.4, "kernel_gap": 0.3, **dict.fromkeys(UNSEEN, 0.0)}

# How much all rows over several nodes, and all rows in one node, count beside the prior.
CLUSTER_WEIGHT = 60.0
NODE_WEIGHT = 20.0

# Nothing was measured there: bounds as wide as trainings of like size differ between families.
UNMEASURED = Spread(low=0.80, high=1.45)
# What a layout adds that no fitted row had: the published steps of such layouts lie within it.
UNSEEN_LAYOUT = Spread(low=0.90, high=1.15)
SEEN_LAYOUT = Spread(low=1.0, high=1.0)
WIDEST_RUN = Spread(low=0.93, high=1.12)


@dataclass(frozen=True, kw_only=True)
class Family:
    """Rows that share parameters, the types they stand for, and their prior."""

    name: str
    types: tuple[str, ...]
    fused: bool
    source: str
    rows: Sequence[Row]
    weigh: Callable[[Sequence[Row]], Numbers]
    loose: Mapping[str, float]


def fitted(family: Family) -> Calibration:
    """Fit a family and print its errors: on the rows fitted, on models left out, on machines left out."""

    coefficients = fit(family.rows, family.weigh(family.rows), Coefficients(), family.loose)

    def refit(rows: Sequence[Row]) -> Coefficients:
        return fit(rows, family.weigh(rows), Coefficients(), family.loose, coefficients)

    by_model = left_out_ratios(family.rows, lambda row: row.model, refit)
    by_machine = left_out_ratios(family.rows, lambda row: row.machine, refit)
    inside = np.array([row.gang <= NODE for row in family.rows])
    for part, held in (("one node", inside), ("several nodes", ~inside)):
        if held.any():
            rows = [row for row, kept in zip(family.rows, held, strict=True) if kept]
            _report(f"{family.name}, {part}: fitted", log_ratio(rows, coefficients))
            _report(f"{family.name}, {part}: models left out", by_model[held])
            _report(f"{family.name}, {part}: machines left out", by_machine[held])
    # A third of what is quoted is taken to be of models unlike those fitted.
    own = log_ratio(family.rows, coefficients)
    residuals = np.stack([own, own, by_model])
    return Calibration(
        name=family.name,
        types=family.types,
        fused=family.fused,
        measured=True,
        source=family.source,
        coefficients=coefficients,
        node=_spread(residuals[:, inside]),
        cluster=_spread(residuals[:, ~inside]),
        layout=UNSEEN_LAYOUT if family.fused else SEEN_LAYOUT,
        run=WIDEST_RUN,
    )


def families(arguments: argparse.Namespace) -> list[Family]:
    """What there is data for."""
    vtrain = [
        *_rows(read_vtrain(arguments.vtrain_single, recompute=Recompute.NONE)),
        *_rows(read_vtrain(arguments.vtrain_multi, recompute=Recompute.FULL)),
    ]
    mosaicml = _rows(read_mosaicml(arguments.mosaicml))
    return [
        Family(
            name="ampere-unfused",
            types=("a100-", "a800-"),
            fused=False,
            source="vTrain ground truth: Megatron-LM without fused attention on A100, one node and up to 64",
            rows=vtrain,
            weigh=_by_reach,
            # These programs repeat whole passes, and have neither fused attention nor ZeRO-3.
            loose={"repeated": 0.0, "fused_attention": 0.0, "hiding": 0.0, "ring_hop": 0.0},
        ),
        Family(
            name="ampere-fused",
            types=("a100-", "a800-"),
            fused=True,
            source="MosaicML llm-foundry throughput: FSDP with fused attention on A100",
            rows=[row for row in mosaicml if row.chip.name.startswith("a100")],
            weigh=_by_model,
            loose=FUSED,
        ),
        Family(
            name="hopper-fused",
            types=("h100-", "h800-", "h200-"),
            fused=True,
            source="MosaicML llm-foundry throughput: FSDP with fused attention on H100",
            rows=[row for row in mosaicml if row.chip.name.startswith("h100")],
            weigh=_by_model,
            loose=FUSED,
        ),
    ]


def priors(found: Sequence[Calibration]) -> list[Calibration]:
    """For chips without data: the geometric mean of the families of a kind of program."""
    made = []
    for fused in (True, False):
        kind = [one.coefficients for one in found if one.fused is fused]
        mean = {
            field.name: float(np.exp(np.mean([np.log(getattr(one, field.name)) for one in kind])))
            for field in fields(Coefficients)
        }
        made.append(
            Calibration(
                name=f"prior-{'fused' if fused else 'unfused'}",
                types=(),
                fused=fused,
                measured=False,
                source="the mean of the families that were measured; nothing was measured on these chips",
                coefficients=Coefficients(**mean),
                node=UNMEASURED,
                cluster=UNMEASURED,
                layout=SEEN_LAYOUT,
                run=WIDEST_RUN,
            )
        )
    return made


def run_spread(runs: Sequence[Row], found: Sequence[Calibration]) -> Spread:
    """What whole runs vary by beside their steps: the published hours' residuals, less those of steps."""
    ratios = []
    for row in runs:
        made = estimate(row.training, row.chip, gang=row.gang, plan=row.plans[0])
        ratios.append(np.log(row.measured / made.accelerator_hours.expected))
    whole = _spread(np.array(ratios))
    low = min(one.cluster.low for one in found)
    high = float(np.mean([one.cluster.high for one in found]))
    return Spread(
        low=1.0 / (1.0 + _beside(1.0 / whole.low - 1.0, 1.0 / low - 1.0)),
        high=1.0 + _beside(whole.high - 1.0, high - 1.0),
    )


def _beside(whole: float, part: float) -> float:
    """The other part of an uncertainty that adds up in squares, at least 5 %."""
    return float(np.sqrt(max(whole**2 - part**2, 0.05**2)))


def _spread(ratios: Numbers) -> Spread:
    """Bounds of the middle 80 % of measured over predicted."""
    if ratios.size < 5:
        return UNMEASURED
    low, high = np.exp(np.quantile(ratios, [0.1, 0.9]))
    return Spread(low=min(float(low), 0.99), high=max(float(high), 1.01))


def _by_model(rows: Sequence[Row]) -> Numbers:
    return balanced(rows, lambda row: f"{row.chip.name} {row.model}", CLUSTER_WEIGHT)


def _by_reach(rows: Sequence[Row]) -> Numbers:
    inside = np.array([row.gang <= NODE for row in rows])
    weights = np.where(inside, NODE_WEIGHT / max(inside.sum(), 1), CLUSTER_WEIGHT / max((~inside).sum(), 1))
    return weights.astype(np.float64)


def _report(name: str, ratios: Numbers) -> None:
    errors = np.exp(-ratios) - 1.0
    size = 100 * np.abs(errors)
    print(
        f"| {name} | {ratios.size} | {size.mean():.2f} | {100 * errors.mean():+.2f} | {np.quantile(size, 0.9):.1f} |",
        flush=True,
    )


def _rows(lines: Sequence[object]) -> list[Row]:
    return [line for line in lines if isinstance(line, Row)]


def as_toml(one: Calibration) -> str:
    """A calibration as a table of the shipped file."""
    spreads = [
        f"{name} = {{ low = {spread.low:.3f}, high = {spread.high:.3f} }}"
        for name, spread in (
            ("node", one.node),
            ("cluster", one.cluster),
            ("layout", one.layout),
            ("run", one.run),
        )
    ]
    types = ", ".join(f'"{start}"' for start in one.types)
    head = [
        "[[calibration]]",
        f'name = "{one.name}"',
        f"types = [{types}]",
        f"fused = {str(one.fused).lower()}",
        f"measured = {str(one.measured).lower()}",
        f'source = "{one.source}"',
    ]
    numbers = [f"{field.name} = {getattr(one.coefficients, field.name):.4g}" for field in fields(Coefficients)]
    return "\n".join([*head, *spreads, "[calibration.coefficients]", *numbers]) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    for name in ("VTRAIN_MULTI", "VTRAIN_SINGLE", "MOSAICML", "RUNS"):
        given = os.environ.get(f"PETAHOUR_{name}")
        option = "--" + name.lower().replace("_", "-")
        parser.add_argument(option, type=Path, default=given and Path(given), required=given is None)
    parser.add_argument("--write", action="store_true", help="renew the shipped calibration")
    arguments = parser.parse_args()
    print("| rows | n | mape % | bias % | p90 % |\n| --- | ---: | ---: | ---: | ---: |")
    found = [fitted(family) for family in families(arguments)]
    every = [*found, *priors(found)]
    # Published runs are read after the fit: their unstated layouts are chosen by the parameters.
    calibration.shipped = lambda: tuple(every)  # type: ignore[assignment]
    hours = [row for row in _rows(read_runs(arguments.runs)) if row.hours]
    spread = run_spread(hours, found)
    print(f"\nruns beside steps: {spread.low:.3f} to {spread.high:.3f}")
    if arguments.write:
        head = (
            "# Parameters of the performance model. Written by benchmarks/quote/fit.py: change the fit, not this.\n"
        )
        TARGET.write_text(
            head + "\n" + "\n".join(as_toml(replace(one, run=spread)) for one in every), encoding="utf-8"
        )
        print(f"wrote {TARGET.name}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
