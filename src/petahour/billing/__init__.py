"""Billing: meter, rate, ledger rules and invoices, as pure functions over events and records."""
