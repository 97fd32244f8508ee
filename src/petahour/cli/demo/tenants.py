"""The demonstration's two tenants, and the jobs they submit."""

from __future__ import annotations

import secrets
import sys
from dataclasses import dataclass, field, replace
from functools import partial

from petahour.client import Client, JobRequest, Quote

A100 = "a100-80g-sxm"
ASCEND = "ascend-910b3"
MTT = "mtt-s4000"

CALIBRATION = "calibration"  # a short run that the quote of the next one is made from
CHAR_LM = "char-lm"  # two ranks on this machine's cores, under a quote
EVALUATION = "evaluation"  # needs all of this machine's cores, so it must wait
SPOT = "spot-lm"  # preempted, and resumed at the step it saved
URGENT = "urgent-gang"  # the on-demand gang that preempts it
FINE_TUNE = "fine-tune"  # on a third vendor's chip
BROKEN = "broken"  # fails, is retried once, and fails again
TOO_BIG = "too-big"  # no fleet of this size could ever run it

BATCH = 64
QUOTED_STEPS = 150

# An interrupted demonstration waits a little longer than this for the jobs that it cancels.
_request = partial(JobRequest, grace="10s")


@dataclass(frozen=True, kw_only=True, slots=True)
class Renter:
    """A tenant, its project, the user who submits, his key, and what its invoices need."""

    tenant: str
    title: str
    currency: str
    project: str
    user: str
    credit: str
    address: tuple[str, ...]
    country: str
    tax_id: str
    tax_rate_ppm: int
    language: str
    key: str = field(default="", repr=False)


AURORA = Renter(
    tenant="aurora",
    title="Aurora Language Models",
    currency="CNY",
    project="research",
    user="an",
    credit="5000.00",
    address=("99 Example Avenue, Floor 12", "Pudong, Shanghai 200120"),
    country="China",
    tax_id="DEMO-1111-1111",
    tax_rate_ppm=60_000,
    language="zh",
)
BOREALIS = Renter(
    tenant="borealis",
    title="Borealis Speech",
    currency="USD",
    project="product",
    user="bo",
    credit="800.00",
    address=("5 Northern Lights Street", "0150 Oslo"),
    country="Norway",
    tax_id="DEMO-2222-2222",
    tax_rate_ppm=0,
    language="en",
)


def admit(operator: Client, renter: Renter) -> str:
    """Create the tenant with project, user, key and credit, as an operator would. The key's text."""
    operator.create_tenant(renter.tenant, currency=renter.currency, title=renter.title)
    operator.create_project(renter.tenant, renter.project)
    operator.create_user(renter.tenant, renter.user, role="tenant-admin")
    operator.topup(
        renter.tenant, renter.credit, currency=renter.currency, key=f"payment-{secrets.token_hex(4)}", note="prepaid"
    )
    return operator.create_key(renter.user, tenant=renter.tenant, label="demo").key


def training(steps: int, step_ms: int, *, checkpoint_every: int = 0, seed: int = 7) -> tuple[str, ...]:
    """The command of a small character language model that really trains, each step at least ``step_ms`` long."""
    command = [sys.executable, "-m", "petahour.cli.training.char_lm"]
    command += ["--steps", str(steps), "--step-ms", str(step_ms), "--batch", str(BATCH), "--seed", str(seed)]
    command += ["--log-every", "5"]
    if checkpoint_every:
        command += ["--checkpoint-every", str(checkpoint_every)]
    return tuple(command)


def calibration() -> JobRequest:
    """The same training as that to be quoted, for a few steps."""
    return _request(
        name=CALIBRATION, command=training(25, 80), types=("cpu",), accelerators_per_node=2, walltime="2m"
    )


def quoted_training(quote: Quote) -> JobRequest:
    """The training that was quoted, submitted under the quote."""
    request = quote.request(training(QUOTED_STEPS, 80))
    return replace(request, name=CHAR_LM, grace="10s", walltime="2m")


def first_jobs(cpus: int) -> list[tuple[Renter, JobRequest]]:
    """What is submitted at the beginning, in this order. ``cpus``: the cores the fleet has."""
    spot = _request(
        name=SPOT,
        command=training(120, 80, checkpoint_every=10, seed=11),
        types=(A100,),
        tier="spot",
        checkpoint_dir="checkpoints/spot-lm",
    )
    evaluation = _request(
        name=EVALUATION,
        command=training(40, 60, seed=13),
        types=("cpu",),
        accelerators_per_node=cpus,
        walltime="2m",
    )
    fine_tune = _request(name=FINE_TUNE, command=training(40, 60, seed=17), types=(ASCEND, A100))
    missing = "print('reading corpus.txt', flush=True); open('corpus.txt')"
    broken = _request(name=BROKEN, command=(sys.executable, "-c", missing), types=(MTT,), retries=1)
    return [(AURORA, spot), (BOREALIS, evaluation), (BOREALIS, fine_tune), (AURORA, broken)]


def urgent_gang() -> JobRequest:
    """Takes every A100, two on each of two nodes, and so the one that the spot job holds."""
    return _request(name=URGENT, command=training(30, 60, seed=19), types=(A100,), nodes=2, accelerators_per_node=2)


def too_big() -> JobRequest:
    """Asks for more than the fleet has."""
    return _request(name=TOO_BIG, command=training(1, 1), types=(A100,), nodes=16, accelerators_per_node=8)
