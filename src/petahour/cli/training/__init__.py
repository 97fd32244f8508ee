"""Training programs that run as jobs: real gradients, real checkpoints, small enough for a laptop."""
