"""Quotes, outcomes and throughputs as what JSON knows: what the API answers and the command line shows."""

from __future__ import annotations

from dataclasses import asdict

from petahour.control.quotes.outcomes import Accuracy, Outcome
from petahour.control.quotes.throughput import MeasuredJob
from petahour.model.quotes import Quote, QuoteLine

View = dict[str, object]


def quote_view(quote: Quote) -> View:
    """A quote; its lines best first."""
    return {**asdict(quote), "about": dict(quote.about), "lines": [line_view(line) for line in quote.lines]}


def line_view(line: QuoteLine) -> View:
    """One type's offer, with its accelerator-time."""
    return {**asdict(line), "accelerator_ms": asdict(line.accelerator_ms)}


def accuracy_view(accuracy: Accuracy) -> View:
    """Outcomes and their means."""
    return {
        "outcomes": [_outcome_view(outcome) for outcome in accuracy.outcomes],
        "mape": accuracy.mape,
        "bias": accuracy.bias,
        "coverage": accuracy.coverage,
        "waiting": accuracy.waiting,
        "other": accuracy.other,
    }


def throughput_view(measured: MeasuredJob) -> View:
    """A finished job's throughput."""
    return {
        "job": measured.job.id,
        "name": measured.job.spec.name,
        "type": measured.type,
        "accelerators": measured.accelerators,
        "run_ms": measured.run_ms,
        **asdict(measured.throughput),
    }


def _outcome_view(outcome: Outcome) -> View:
    quote, line = outcome.quote, outcome.line
    return {
        "quote": quote.id,
        "job": outcome.job,
        "tenant": quote.tenant,
        "work": quote.work,
        "type": line.type,
        "accelerators": line.accelerators,
        "quoted_ms": asdict(line.run_ms),
        "run_ms": outcome.run_ms,
        "quoted_micros": outcome.quoted_micros,
        "charged_micros": outcome.charged_micros,
        "currency": outcome.currency,
        "correction": line.correction,
        "own_runs": line.own_runs,
        "error": outcome.error,
        "within": outcome.within,
        "set_aside": outcome.set_aside,
    }
