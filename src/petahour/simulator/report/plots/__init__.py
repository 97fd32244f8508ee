"""Plots of one or several replays as SVG."""

from __future__ import annotations

from petahour.simulator.report.plots.nodes import plot_nodes
from petahour.simulator.report.plots.occupancy import plot_occupancy
from petahour.simulator.report.plots.service import plot_service
from petahour.simulator.report.plots.style import Plot
from petahour.simulator.report.plots.waiting import plot_waiting

PLOTS = (plot_waiting, plot_occupancy, plot_service, plot_nodes)

__all__ = ["PLOTS", "Plot", "plot_nodes", "plot_occupancy", "plot_service", "plot_waiting"]
