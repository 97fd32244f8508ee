"""The HTTP edge: thin routes over the use cases."""
