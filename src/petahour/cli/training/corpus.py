"""A small text to learn from, made here: sentences of a little grammar, the same for the same seed."""

from __future__ import annotations

import random

_NOUNS = (
    "node",
    "switch",
    "rack",
    "chip",
    "cluster",
    "tenant",
    "invoice",
    "ledger",
    "queue",
    "gang",
    "model",
    "batch",
)
_VERBS = ("feeds", "waits for", "places", "meters", "bills", "preempts", "resumes", "trains", "checks", "serves")
_QUALITIES = ("small", "busy", "idle", "spot", "reserved", "patient", "fast", "mixed", "scarce", "quiet")
_ADVERBS = ("today", "at night", "once more", "in time", "without loss", "hour by hour")


def make_text(seed: int = 7, sentences: int = 800) -> str:
    """About 40 characters a sentence, small letters, spaces and full stops."""
    draw = random.Random(seed)
    return " ".join(_sentence(draw) for _ in range(sentences))


def _sentence(draw: random.Random) -> str:
    subject, thing = draw.sample(_NOUNS, 2)
    words = ["the", draw.choice(_QUALITIES), subject, draw.choice(_VERBS), "the", thing]
    if draw.random() < 0.4:
        words.append(draw.choice(_ADVERBS))
    return " ".join(words) + "."
