"""What people are handed: invoices, statements, exports and charts, as files."""
