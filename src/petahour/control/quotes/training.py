"""Training: a model, tokens and a gang as the workload of the performance model, estimated on one type."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from petahour.catalog.catalog import Catalog
from petahour.control.quotes.amounts import counted, format_amount, parse_amount
from petahour.control.quotes.bounds import require_run
from petahour.control.quotes.type_estimate import TypeEstimate
from petahour.control.quotes.work import Terms
from petahour.model.errors import ValidationError
from petahour.model.quotes import Choice, Objective, QuoteRequest
from petahour.quoting.chips import Chip, chip_from_type
from petahour.quoting.choice import best, estimates_up_to, pareto
from petahour.quoting.energy import Building
from petahour.quoting.estimate import Estimate, estimate
from petahour.quoting.hf_config import transformer_from_config
from petahour.quoting.own_runs import learn
from petahour.quoting.presets import preset, presets
from petahour.quoting.workload import MOST_TOKENS, Training

USUAL_STEP_TOKENS = 4 * 2**20  # what large language models take in one step, where nobody says
MOST_SEQUENCE = 10**8


def training_of(request: QuoteRequest) -> Training:
    """The training that a request describes. Raises ValidationError naming the field.

    Without a sequence the model's own; without a batch one of about four million tokens.
    """
    model = preset(request.model or "") if request.config is None else transformer_from_config(request.config)
    if request.tokens is None:
        raise ValidationError(
            field="tokens", value=None, rule="how many tokens to train on", remedy="Say so, for example --tokens 2T."
        )
    tokens = parse_amount(request.tokens, field="tokens", most=MOST_TOKENS)
    sequence = model.default_sequence if request.sequence is None else request.sequence
    if isinstance(sequence, bool) or not 1 <= sequence <= MOST_SEQUENCE:
        raise ValidationError(
            field="sequence", value=sequence, rule=f"from 1 to {MOST_SEQUENCE}", remedy="Write it like 4096."
        )
    batch = max(1, USUAL_STEP_TOKENS // sequence) if request.batch is None else request.batch
    return Training(model=model, tokens=tokens, global_batch=batch, sequence=sequence)


def about_training(training: Training, request: QuoteRequest) -> tuple[str, Mapping[str, str]]:
    """(name of the work, what it is in words, assumptions too). Runs of one model and sequence teach one another."""
    model = training.model
    about = {
        "parameters": f"{format_amount(model.parameters)} parameters",
        "tokens": counted(training.tokens, "token"),
        "steps": f"{counted(training.steps, 'step')} of {training.global_batch:,} x {training.sequence:,} tokens"
        + (" (a usual batch)" if request.batch is None else ""),
        "precision": "in 16 bits",
    }
    # What a config.json calls itself may be no more than its family's name.
    name = model.name if model.name in presets() else f"{model.name[:150]}-{format_amount(model.parameters)}"
    return f"{name}/{training.sequence}", about


def training_estimate(
    catalog: Catalog,
    training: Training,
    type_name: str,
    terms: Terms,
    *,
    most: int,
    ratios: Sequence[float] = (),
) -> TypeEstimate:
    """The training on the wanted gang, or on the best of all gangs up to ``most`` by the objective.

    ``ratios`` of own runs say how long it takes beside what is modelled, for the deadline's sake alone.
    Raises ValidationError when the type's figures are not established, or no plan of such a gang fits.
    """
    chip = chip_from_type(catalog.for_quote(type_name))
    if terms.gang is not None:
        tried: Sequence[Estimate] = [estimate(training, chip, gang=terms.gang, plan=terms.plan)]
        _require_fit(tried[0])
    else:
        tried = _every_gang(training, chip, most)
    found = _best(tried, terms, learn(ratios, spread=0.0).factor)
    whole = TypeEstimate(
        type=type_name,
        accelerators=found.gang,
        plan=str(found.plan),
        run_s=found.run_s.expected,
        low_s=found.run_s.low,
        high_s=found.run_s.high,
        step_s=found.step_s,
        petaflop_hours=found.petaflop_hours,
        energy_kwh=found.energy_kwh,
        memory_part=None if found.memory is None else found.memory.part,
        limit=found.limit,
        choices=_choices(tried),
        details=_details(found),
        notes=found.notes,
    )
    return require_run(whole, field="tokens", value=format_amount(training.tokens))


def _require_fit(found: Estimate) -> None:
    """A plan that somebody gave may not fit; the search's own always do."""
    if found.memory is not None and not found.memory.fits:
        raise ValidationError(
            field="plan",
            value=str(found.plan),
            rule="a plan that fits the memory",
            remedy=f"It {found.memory.verdict}.",
        )


def _choices(tried: Sequence[Estimate]) -> tuple[Choice, ...]:
    """Those of several gang sizes that no other one beats in both time and accelerator-hours, by size."""
    found = [
        Choice(accelerators=one.gang, plan=str(one.plan), run_ms=round(one.run_s.expected * 1000))
        for one in pareto(tried, hourly={})
    ]
    return tuple(sorted(found, key=lambda choice: choice.accelerators)) if len(tried) > 1 else ()


def _every_gang(training: Training, chip: Chip, most: int) -> Sequence[Estimate]:
    if most < 1:
        raise ValidationError(
            field="gang",
            value=None,
            rule=f"a gang, as there is no fleet of {chip.name} here to try all sizes on",
            remedy="Name one, for example --gang 256.",
        )
    return estimates_up_to(training, chip, most)


def _best(tried: Sequence[Estimate], terms: Terms, factor: float) -> Estimate:
    """The best by the objective of those expected to end by the deadline; the fastest where none is."""
    deadline_ms = terms.deadline_ms
    in_time = [one for one in tried if deadline_ms is None or one.run_s.expected * factor * 1000 <= deadline_ms]
    return best(in_time, terms.objective) if in_time else best(tried, Objective.FASTEST)


def _details(found: Estimate) -> Mapping[str, float]:
    details = {"goodput": found.goodput, **({} if found.energy_kwh is None else Building().factors)}
    for name in ("mfu", "hfu", "checkpoint_every_s"):
        value = getattr(found, name)
        if value is not None:
            details[name] = value
    return {**details, **{f"share_{name}": part for name, part in found.shares.items()}}
