"""Notices: stored with what they tell of, delivered afterwards by webhook and e-mail, at least once."""
