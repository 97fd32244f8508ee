"""The SQL store: SQLite in WAL mode by default, PostgreSQL where several machines share it."""
