"""The local engine: gangs as processes of this host, each rank under a supervisor of its own."""
