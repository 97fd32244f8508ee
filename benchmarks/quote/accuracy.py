"""How far the shipped calibration is from measured trainings: predicts every row of the files, fits nothing.

    python benchmarks/quote/accuracy.py --vtrain-multi FILE --vtrain-single FILE --mosaicml FILE --runs FILE [--json]

Any file with these columns will do. Each figure stands beside what other estimators claim or gave on such rows, and
beside one constant efficiency fitted to the very rows it is judged on.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from measured import LeftOut, Row, read_mosaicml, read_vtrain
from published import read_runs

from petahour.quoting.calibration import calibration_for, step_spread
from petahour.quoting.estimate import HOUR_S, estimate
from petahour.quoting.flops import Recompute, token_flops

# Mean absolute errors in per cent that others claim, or gave when they were run on such rows.
PEERS = {
    "vtrain-multi": "Calculon 12.9 (6 % rejected); vTrain claims 14.7; one constant 17.2",
    "vtrain-single": "Calculon 35; simple formulas 43-48; vTrain claims 8.4",
    "mosaicml": "none published on these rows",
    "mosaicml >= 7b": "none published on these rows",
    "runs: hours": "llm-analysis -22 to +10 with an efficiency given to it",
    "runs: LLaMA, OPT, BLOOM hours": "llm-analysis -5 to +10 with an efficiency given to it",
    "runs: steps": "Calculon -31 to +8 (Megatron, MT-NLG)",
}
TARGETS = {
    "vtrain-multi": 6.0,
    "vtrain-single": 12.0,
    "mosaicml >= 7b": 7.0,
    "runs: LLaMA, OPT, BLOOM hours": 20.0,
}
LARGE = ("7b", "13b", "30b", "70b")
WANTED_RUNS = ("llama", "opt-", "bloom-")


@dataclass(frozen=True, kw_only=True)
class Predicted:
    """One row: ``low`` to ``high`` is its 80 % interval; ``fits`` the memory verdict (all of them ran)."""

    row: Row
    predicted: float
    low: float
    high: float
    fits: bool
    memory_part: float

    @property
    def error(self) -> float:
        """Relative, positive where predicted too long."""
        return self.predicted / self.row.measured - 1.0


@dataclass(frozen=True, kw_only=True)
class Score:
    """Errors in per cent over rows; ``largest`` that of the worst row. ``constant_mape`` is the error of the one
    constant efficiency that is best for these rows."""

    name: str
    rows: int
    rejected: int
    mape: float
    bias: float
    p90: float
    largest: float
    coverage_80: float
    fits: float
    constant_mape: float
    peers: str
    target: float | None


def predict(row: Row) -> Predicted:
    """By the shipped calibration."""
    made = estimate(row.training, row.chip, gang=row.gang, plan=row.plans[0])
    assert made.step_s is not None
    assert made.memory is not None
    if row.hours:
        expected, low, high = made.accelerator_hours.expected, made.accelerator_hours.low, made.accelerator_hours.high
    else:
        calibration = calibration_for(row.chip, fused=row.training.flash_attention)
        spread = step_spread(calibration, row.chip, row.plans[0])
        expected, low, high = made.step_s, made.step_s * spread.low, made.step_s * spread.high
    return Predicted(
        row=row, predicted=expected, low=low, high=high, fits=made.memory.fits, memory_part=made.memory.part
    )


def score(name: str, found: Sequence[Predicted], rejected: int) -> Score:
    """The figures of one table."""
    errors = [one.error for one in found]
    sizes = sorted(abs(error) for error in errors)
    return Score(
        name=name,
        rows=len(found),
        rejected=rejected,
        mape=100.0 * statistics.fmean(sizes),
        bias=100.0 * statistics.fmean(errors),
        p90=100.0 * sizes[min(math.ceil(0.9 * len(sizes)), len(sizes)) - 1],
        largest=100.0 * max(errors, key=abs),
        coverage_80=100.0 * statistics.fmean(one.low <= one.row.measured <= one.high for one in found),
        fits=100.0 * statistics.fmean(one.fits for one in found),
        constant_mape=_constant(found),
        peers=PEERS.get(name, ""),
        target=TARGETS.get(name),
    )


def _constant(found: Sequence[Predicted]) -> float:
    """Model FLOPs at the one efficiency that makes the mean absolute error least, in per cent."""
    ratios = []
    for one in found:
        training, recompute = one.row.training, one.row.plans[0].recompute
        flops = token_flops(training.model, training.sequence, recompute).hardware * training.tokens
        ideal = flops / one.row.chip.peak_flops / (HOUR_S if one.row.hours else one.row.gang)
        ratios.append(ideal / one.row.measured)
    return 100.0 * min(statistics.fmean(abs(ratio / part - 1.0) for ratio in ratios) for part in ratios)


def tables(arguments: argparse.Namespace) -> tuple[list[tuple[str, list[Predicted], int]], list[tuple[str, LeftOut]]]:
    """(name, predicted rows, rejected count) of each table, and what was left out."""
    sources: list[tuple[str, list[Row | LeftOut]]] = []
    if arguments.vtrain_multi:
        sources.append(("vtrain-multi", read_vtrain(arguments.vtrain_multi, recompute=Recompute.FULL)))
    if arguments.vtrain_single:
        sources.append(("vtrain-single", read_vtrain(arguments.vtrain_single, recompute=Recompute.NONE)))
    if arguments.mosaicml:
        sources.append(("mosaicml", read_mosaicml(arguments.mosaicml)))
    if arguments.runs:
        sources.append(("runs", read_runs(arguments.runs)))
    made, out = [], []
    for name, lines in sources:
        left = [line for line in lines if isinstance(line, LeftOut)]
        out += [(name, line) for line in left]
        found = [predict(line) for line in lines if isinstance(line, Row)]
        made += _parts(name, found, len(left))
    return [table for table in made if table[1]], out


def _parts(name: str, found: list[Predicted], rejected: int) -> list[tuple[str, list[Predicted], int]]:
    if name == "mosaicml":
        return [(name, found, rejected), ("mosaicml >= 7b", [one for one in found if one.row.model in LARGE], 0)]
    if name == "runs":
        hours = [one for one in found if one.row.hours]
        wanted = [one for one in hours if one.row.model.startswith(WANTED_RUNS)]
        steps = [one for one in found if not one.row.hours]
        return [
            ("runs: hours", hours, rejected),
            ("runs: LLaMA, OPT, BLOOM hours", wanted, 0),
            ("runs: steps", steps, 0),
        ]
    return [(name, found, rejected)]


def show(scores: Sequence[Score], out: Sequence[tuple[str, LeftOut]]) -> None:
    """The table for people."""
    print(
        "| rows | n | rejected | mape % | bias % | p90 % | coverage_80 % | fits % | target | best constant | others |"
    )
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- | ---: | --- |")
    for one in scores:
        reached = one.largest if "LLaMA" in one.name else one.mape
        mark = "" if one.target is None else f"< {one.target:g} {'ok' if abs(reached) < one.target else 'MISSED'}"
        print(
            f"| {one.name} | {one.rows} | {one.rejected} | {one.mape:.1f} | {one.bias:+.1f} | {one.p90:.1f} "
            f"| {one.coverage_80:.0f} | {one.fits:.0f} | {mark} | {one.constant_mape:.1f} | {one.peers} |"
        )
    for name, line in out:
        print(f"rejected: {name} {line.label}: {line.reason}")


def show_rows(found: Sequence[Predicted]) -> None:
    """Each row with what was published and predicted."""
    print("| run | plan | published | predicted | 80 % interval | error % | memory |")
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: |")
    for one in found:
        unit = "h" if one.row.hours else "s"
        print(
            f"| {one.row.label} | {one.row.plans[0]} | {one.row.measured:,.6g} {unit} | {one.predicted:,.6g} "
            f"| {one.low:,.6g} - {one.high:,.6g} | {100 * one.error:+.1f} | {one.memory_part:.0%} |"
        )


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    for name in ("--vtrain-multi", "--vtrain-single", "--mosaicml", "--runs"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of tables")
    parser.add_argument("--rows", action="store_true", help="print each row too")
    arguments = parser.parse_args()
    made, out = tables(arguments)
    if not made:
        parser.error("give at least one file with a row that can be predicted")
    scores = [score(name, found, rejected) for name, found, rejected in made]
    if arguments.json:
        rejected = [{"table": name, "row": line.label, "reason": line.reason} for name, line in out]
        print(json.dumps({"tables": [asdict(one) for one in scores], "rejected": rejected}, indent=1))
        return 0
    show(scores, out)
    if arguments.rows:
        for name, found, _ in made:
            print(f"\n## {name}\n")
            show_rows(found)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
