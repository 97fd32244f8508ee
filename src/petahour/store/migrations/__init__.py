"""Schema migrations, run on start."""
