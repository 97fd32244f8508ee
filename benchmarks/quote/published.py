"""Published runs from a table: models by their names, layouts by what is stated of them.

Where a table says ``n/s`` the layouts that agree with the rest are all tried and the fastest one that fits stands for
the run, as its authors will have tuned theirs.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from measured import LeftOut, Line, Row, UnusableError, chip, gpt, number, read, text, whole

from petahour.quoting.calibration import calibration_for
from petahour.quoting.chips import Chip
from petahour.quoting.flops import Recompute, token_flops
from petahour.quoting.memory import memory_use
from petahour.quoting.plan import ParallelPlan, plan_columns
from petahour.quoting.presets import presets
from petahour.quoting.search import cases_of
from petahour.quoting.step_time import step_time
from petahour.quoting.transformer import Transformer
from petahour.quoting.workload import Training

# A gang to stand for one that is not stated: accelerator-hours depend on it little.
USUAL_GANG = 512
USUAL_BATCH_TOKENS = 4_000_000

# Programs of papers before this month (arXiv's numbering) wrote their attention scores to memory.
FUSED_SINCE = 2302

# Names that differ from the presets'.
NAMES = {
    "gptneox20b": "gpt-neox-20b",
    "starcoderbase": "starcoder-15b",
    "nemotron4340b": "nemotron-4-340b",
    "llama31405b": "llama-3.1-405b",
}


def read_runs(path: Path) -> list[Row | LeftOut]:
    """Published runs. Those with tokens and hours (or days) are rows of accelerator-hours, others of step time."""
    return read(path, _row)


def _row(line: Line, label: str) -> Row:
    if "fp8" in (line.get("counts_recompute") or "").lower():
        raise UnusableError("training in FP8 is not modelled")
    where = chip(text(line, "chip"))
    model = _model(line)
    sequence = whole(line, "seq")
    batch = _batch(line, sequence)
    gang = _optional(line, "n_chips") or USUAL_GANG
    hours = _hours(line)
    tokens = round(number(line, "tokens_B") * 1e9) if hours is not None else batch * sequence
    training = Training(
        model=model, tokens=tokens, global_batch=batch, sequence=sequence, flash_attention=_fused(line)
    )
    measured = hours if hours is not None else _step(line, training, gang, where)
    return Row(
        label=f"{text(line, 'id')} ({gang} x {where.name})",
        model=model.name,
        machine=where.name,
        training=training,
        chip=where,
        plans=(_fastest(_layouts(line, training, gang, where), training, where),),
        measured=measured,
        hours=hours is not None,
    )


def _model(line: Line) -> Transformer:
    """A preset by its name or by its shape, else a GPT of the stated shape whose inner size makes up the stated
    parameters."""
    wanted = _plain(text(line, "model"))
    by_plain = {_plain(name): model for name, model in presets().items()}
    by_plain |= {_plain(name.replace("gpt", "megatron")): by_plain[_plain(name)] for name in NAMES.values()}
    for name in (wanted, _plain(NAMES.get(wanted, "")), wanted.replace("gpt", "megatron", 1)):
        if name in by_plain:
            return by_plain[name]
    shape = [_optional(line, column) for column in ("layers", "hidden", "heads")]
    if None in shape:
        raise UnusableError(f"the shape of {text(line, 'model')!r} is neither known nor stated")
    layers, hidden, heads = (one for one in shape if one is not None)
    if line.get("active_B") and line.get("active_B") != line.get("N_B"):
        raise UnusableError(f"the experts of {text(line, 'model')!r} are neither known nor stated")
    model = gpt(name=text(line, "model"), layers=layers, hidden=hidden, heads=heads, sequence=whole(line, "seq"))
    missing = number(line, "N_B") * 1e9 - model.parameters
    return replace(model, ffn=max(model.ffn + round(missing / (2 * hidden * layers)), hidden))


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _batch(line: Line, sequence: int) -> int:
    """``2048``, ``1024(2M tok)`` or ``4M tok``."""
    written = (line.get("global_bs_seqs") or "").strip()
    in_tokens = re.fullmatch(r"([\d.]+)M tok", written)
    if in_tokens:
        return max(round(float(in_tokens.group(1)) * 1e6 / sequence), 1)
    count = re.match(r"\d+", written)
    return int(count.group(0)) if count else USUAL_BATCH_TOKENS // sequence


def _hours(line: Line) -> float | None:
    """Published accelerator-hours, or days times accelerators; None where the run's length is not stated."""
    if (line.get("reported_chip_hours") or "").strip():
        return number(line, "reported_chip_hours")
    if (line.get("reported_days") or "").strip() and (line.get("n_chips") or "").strip():
        return number(line, "reported_days") * 24.0 * number(line, "n_chips")
    return None


def _step(line: Line, training: Training, gang: int, where: Chip) -> float:
    """Seconds per step, stated or by the stated rate in the stated convention."""
    if (line.get("reported_step_s") or "").strip():
        return number(line, "reported_step_s")
    if (line.get("reported_tflops_per_chip") or "").strip():
        rate = number(line, "reported_tflops_per_chip") * 1e12
        again = Recompute.FULL if (line.get("counts_recompute") or "").startswith("yes") else Recompute.NONE
        return token_flops(training.model, training.sequence, again).hardware * training.step_tokens / (rate * gang)
    if not (line.get("reported_MFU_pct") or "").strip():
        raise UnusableError("neither hours nor days nor a rate are stated")
    rate = number(line, "reported_MFU_pct") / 100.0 * where.peak_flops
    return token_flops(training.model, training.sequence, Recompute.NONE).model * training.step_tokens / (rate * gang)


def _fused(line: Line) -> bool:
    found = re.search(r"arXiv (\d{4})\.", line.get("source") or "")
    return found is None or int(found.group(1)) >= FUSED_SINCE


def _layouts(line: Line, training: Training, gang: int, where: Chip) -> list[ParallelPlan]:
    """Every layout that agrees with what is stated."""
    tensor, pipeline = _optional(line, "TP"), _optional(line, "PP")
    sharding = line.get("DP_or_sharding") or ""
    micro, experts = _optional(line, "micro_bs"), re.search(r"EP(\d+)", sharding)
    ep = int(experts.group(1)) if experts else 1
    model = training.model
    found = []
    for tp in [tensor] if tensor else [1, 2, 4, 8]:
        for pp in [pipeline] if pipeline else [1, 2, 4, 8, 16]:
            if gang % (tp * pp) or model.heads % tp or tp > max(where.domain, tensor or 1) or pp > model.layers:
                continue
            dp = gang // (tp * pp)
            for size in [micro] if micro else [1, 2, 4, 8, 16]:
                if dp * size > training.global_batch or dp % ep:
                    continue
                found += [
                    ParallelPlan(
                        tp=tp,
                        pp=pp,
                        dp=dp,
                        ep=ep,
                        micro_batch=size,
                        interleave=parts,
                        recompute=recompute,
                        zero=zero,
                        sequence_parallel=training.flash_attention and tp > 1,
                    )
                    for parts in ([1, 2, 4] if pp > 1 else [1])
                    if model.layers % (pp * parts) == 0 or parts == 1
                    for recompute in _recompute(line)
                    for zero in _zero(sharding, dp)
                ]
    if not found:
        raise UnusableError(f"no layout of {gang} accelerators agrees with what is stated")
    return found


def _recompute(line: Line) -> list[Recompute]:
    stated = (line.get("counts_recompute") or "").lower()
    if stated.startswith("yes") or stated.startswith("hfu"):
        return [Recompute.FULL]
    if stated.startswith("selective"):
        return [Recompute.SELECTIVE]
    return [Recompute.NONE] if stated == "no" else list(Recompute)


def _zero(sharding: str, dp: int) -> list[int]:
    if dp == 1:
        return [0]
    if "ZeRO-3" in sharding or "FSDP" in sharding:
        return [3]
    return [1] if "ZeRO" in sharding or "opt shard" in sharding else [0, 1]


def _fastest(plans: list[ParallelPlan], training: Training, where: Chip) -> ParallelPlan:
    """The fastest that fits; where none does, the one that needs least memory."""
    cases = cases_of(training, where, plan_columns(plans))
    seconds = step_time(cases, calibration_for(where, fused=training.flash_attention).coefficients).total
    parts = memory_use(cases).part
    fitting = [at for at in range(len(plans)) if parts[at] <= 1.0]
    if not fitting:
        return plans[int(parts.argmin())]
    return plans[min(fitting, key=lambda at: float(seconds[at]))]


def _optional(line: Line, column: str) -> int | None:
    written = (line.get(column) or "").strip()
    return int(written) if written.isdigit() else None
