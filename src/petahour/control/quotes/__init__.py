"""Quotes: what a piece of work takes on each type, what it costs, when it would start, and how right that was."""
