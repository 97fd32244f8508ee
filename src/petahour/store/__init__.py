"""The store: the only place where state survives a crash."""
