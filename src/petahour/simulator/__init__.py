"""The simulator: real and generated traces, replayed through the scheduler that runs the floor."""
