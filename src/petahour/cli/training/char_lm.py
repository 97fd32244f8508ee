"""Train a character language model, data-parallel over the ranks of the gang.

    python -m petahour.cli.training.char_lm --steps 400

The batch of a step depends on seed and step alone and is split between the ranks, so that any number of ranks
computes the same losses, and a run resumed from a checkpoint ends where an unbroken one does. At SIGTERM it
saves a checkpoint and exits with 143.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from pathlib import Path

# The model is small: threads of the linear algebra library would only get in each other's way.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from petahour.cli.training import checkpoint
from petahour.cli.training.allreduce import Gang
from petahour.cli.training.corpus import make_text
from petahour.cli.training.model import CONTEXT, Adam, Array, Indexes, Parameters, initial, loss_and_gradients

STOPPED = 143


def main() -> int:
    """Train; the exit code is 0, or 143 after a checkpoint that SIGTERM asked for."""
    options = _options()
    # Until the gang has met there is nothing to save: SIGTERM then ends a rank at once, and no rank that was
    # there first waits out its grace for one that will not come.
    gang = Gang()
    stop = _Stop()
    text = make_text()
    letters = sorted(set(text))
    codes = np.array([letters.index(letter) for letter in text], dtype=np.int64)
    parameters = initial(len(letters), options.seed)
    optimizer = Adam(parameters)
    folder = os.environ.get("PETAHOUR_CHECKPOINT_DIR")
    begin = checkpoint.load(Path(folder), parameters, optimizer) if folder else 0
    if gang.rank == 0:
        print(f"resumed at step {begin} from checkpoint" if begin else "starting fresh", flush=True)
    told, told_s = begin, time.monotonic()
    for step in range(begin + 1, options.steps + 1):
        began_s = time.monotonic()
        contexts, targets = _batch(codes, options.seed, step, options.batch)
        mine = slice(gang.rank, None, gang.size)
        loss, gradients = loss_and_gradients(parameters, contexts[mine], targets[mine])
        loss, stopping = _share(gang, loss, gradients, options.batch, stop.asked)
        optimizer.update(parameters, gradients)
        if gang.rank == 0 and (step % options.log_every == 0 or step == options.steps):
            now_s = time.monotonic()
            samples, seconds = (step - told) * options.batch, now_s - told_s
            told, told_s = step, now_s
            print(f"step {step}/{options.steps} loss {loss:.4f} ({gang.size} ranks)", flush=True)
            print(f"petahour: {samples} samples in {seconds:.6f} s", flush=True)
        due = step % options.checkpoint_every == 0 or step == options.steps or stopping
        if folder and gang.rank == 0 and due:
            checkpoint.save(Path(folder), step, parameters, optimizer)
            if stopping:
                print(f"checkpoint saved at step {step}", flush=True)
        if stopping and step < options.steps:
            gang.close()
            return STOPPED
        time.sleep(max(0.0, options.step_ms / 1000 - (time.monotonic() - began_s)))
    if gang.rank == 0:
        print("done", flush=True)
    gang.close()
    return 0


class _Stop:
    """Remembers that SIGTERM came; the step under way is finished first."""

    def __init__(self) -> None:
        self.asked = False
        signal.signal(signal.SIGTERM, self._ask)

    def _ask(self, *_: object) -> None:
        self.asked = True


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--step-ms", type=int, default=0, help="a step takes at least this long, as if larger")
    parser.add_argument("--batch", type=int, default=64, help="examples of a step, over all ranks")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--checkpoint-every", type=int, default=50, help="steps")
    parser.add_argument("--log-every", type=int, default=20, help="steps")
    return parser.parse_args()


def _batch(codes: Indexes, seed: int, step: int, count: int) -> tuple[Indexes, Indexes]:
    """Contexts [B, C] and the characters that follow, drawn by seed and step."""
    starts = np.random.default_rng((seed, step)).integers(0, len(codes) - CONTEXT - 1, count)
    return codes[starts[:, None] + np.arange(CONTEXT)], codes[starts + CONTEXT]


def _share(gang: Gang, loss: float, gradients: Parameters, batch: int, stop: bool) -> tuple[float, bool]:
    """Average loss and gradients (in place) over the whole batch; whether any rank was asked to stop."""
    flat: Array = np.concatenate([np.array([loss, float(stop)]), *(value.ravel() for value in gradients.values())])
    total = gang.add(flat)
    place = 2
    for name, value in gradients.items():
        gradients[name] = total[place : place + value.size].reshape(value.shape) / batch
        place += value.size
    return float(total[0]) / batch, total[1] > 0


if __name__ == "__main__":
    sys.exit(main())
