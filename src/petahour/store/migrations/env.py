"""Alembic's entry: migrates over the connection that it is handed."""

from __future__ import annotations

from alembic import context

from petahour.store.sql import invoice_tables

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=invoice_tables.metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
