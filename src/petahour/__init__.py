"""Petahour: software that runs a data centre renting AI compute."""

from __future__ import annotations

__version__ = "0.1.0"
