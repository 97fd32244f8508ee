"""Quoting: what a training costs in time, memory, energy and money on a type of chip. Pure."""
