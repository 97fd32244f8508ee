"""Layout: a parallel plan as people write it, ``tp=8,pp=4,micro-batch=2,zero=1,recompute=full``."""

from __future__ import annotations

from petahour.model.errors import ValidationError
from petahour.quoting.flops import Recompute
from petahour.quoting.plan import ParallelPlan

_DEGREES = {
    "tp": "tp",
    "pp": "pp",
    "ep": "ep",
    "micro-batch": "micro_batch",
    "interleave": "interleave",
    "zero": "zero",
}
MOST_DEGREE = 1_000_000
LEAST = {"zero": 0}


def parse_plan(text: str, gang: int | None) -> ParallelPlan:
    """The plan of a gang; its data-parallel degree is what tensor and pipeline parallelism leave of it.

    What is not said is 1, ZeRO and recomputation none; sequence parallelism goes with tensor parallelism. Raises
    ValidationError naming the part.
    """
    if gang is None:
        raise _refuse(text, "a plan of a gang whose size is said", "Say how many accelerators, with --gang.")
    degrees: dict[str, int] = {}
    said: set[str] = set()
    recompute = Recompute.NONE
    for part in text.split(","):
        name, equals, value = (piece.strip().lower() for piece in part.partition("="))
        if not equals or (name != "recompute" and name not in _DEGREES):
            raise _refuse(part, f"parts such as tp=8, of {', '.join(_DEGREES)} and recompute", "Correct this part.")
        if name in said:
            raise _refuse(text, f"each part once; {name} is said twice", "Leave one of the two out.")
        said.add(name)
        if name == "recompute":
            if value not in {kind.value for kind in Recompute}:
                raise _refuse(part, f"one of {', '.join(Recompute)}", "Choose one of them.")
            recompute = Recompute(value)
        elif not (value.isascii() and value.isdigit() and LEAST.get(name, 1) <= int(value[:9]) <= MOST_DEGREE):
            rule = f"a whole number from {LEAST.get(name, 1)} to {MOST_DEGREE}"
            raise _refuse(part, rule, "Write it like tp=8, or leave it out.")
        else:
            degrees[_DEGREES[name]] = int(value[:9])
    apart = degrees.get("tp", 1) * degrees.get("pp", 1)
    if gang % apart:
        raise _refuse(text, f"TP x PP that divides the gang of {gang}; this is {apart}", "Change one of the two.")
    return ParallelPlan(**degrees, dp=gang // apart, recompute=recompute, sequence_parallel=degrees.get("tp", 1) > 1)


def _refuse(value: str, rule: str, remedy: str) -> ValidationError:
    return ValidationError(field="plan", value=value, rule=rule, remedy=remedy)
