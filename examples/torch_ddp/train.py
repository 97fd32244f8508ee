"""DistributedDataParallel under Petahour: rendezvous from the environment, checkpoints, resume.

The data of a step depends on the step alone, so a run that was killed and resumed prints the same final loss as
an unbroken one.
"""

import argparse
import os
import signal
from pathlib import Path

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

FEATURES, HIDDEN, BATCH = 16, 32, 64


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--checkpoint-every", type=int, default=10)
    parser.add_argument("--crash-at-step", type=int, help="rank 1 kills itself there, in the first attempt only")
    options = parser.parse_args()

    torch.manual_seed(0)
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    rank, size = dist.get_rank(), dist.get_world_size()
    model = DistributedDataParallel(nn.Sequential(nn.Linear(FEATURES, HIDDEN), nn.Tanh(), nn.Linear(HIDDEN, 1)))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    folder = Path(os.environ.get("PETAHOUR_CHECKPOINT_DIR", "checkpoints"))
    begin = load(folder, model, optimizer)
    if rank == 0:
        print(f"resumed at step {begin}" if begin else "starting fresh", flush=True)
    for step in range(begin + 1, options.steps + 1):
        inputs, wanted = batch(step)
        loss = nn.functional.mse_loss(model(inputs[rank::size]), wanted[rank::size])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if rank == 0 and step % options.checkpoint_every == 0:
            save(folder, step, model, optimizer)
            print(f"step {step} loss {loss.item():.6f}, checkpoint saved", flush=True)
        dist.barrier()
        if step == options.crash_at_step and rank == 1 and os.environ.get("PETAHOUR_ATTEMPT") == "1":
            os.kill(os.getpid(), signal.SIGKILL)
    inputs, wanted = batch(0)
    with torch.no_grad():
        final = nn.functional.mse_loss(model(inputs), wanted).item()
    if rank == 0:
        print(f"final loss {final:.6f}", flush=True)
    dist.barrier()
    dist.destroy_process_group()
    # Gloo's threads may still be winding down, and aborted about one process in fifty during Python's teardown.
    os._exit(0)


def batch(step: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The whole gang's batch of a step: inputs [B, F] and what is to be learnt [B, 1]."""
    draw = torch.Generator().manual_seed(1000 + step)
    inputs = torch.randn(BATCH, FEATURES, generator=draw)
    return inputs, (inputs[:, :4].sum(1, keepdim=True) * 0.5).sin()


def save(folder: Path, step: int, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / "latest.new"
    torch.save({"step": step, "model": model.state_dict(), "optimizer": optimizer.state_dict()}, temporary)
    temporary.replace(folder / "latest.pt")


def load(folder: Path, model: nn.Module, optimizer: torch.optim.Optimizer) -> int:
    """The step of the checkpoint that model and optimizer were filled from; 0 when there is none."""
    path = folder / "latest.pt"
    if not path.exists():
        return 0
    state = torch.load(path, weights_only=True)
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    return int(state["step"])


if __name__ == "__main__":
    main()
