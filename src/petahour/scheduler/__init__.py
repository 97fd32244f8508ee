"""The scheduler: a pure function of a snapshot that returns a plan."""
