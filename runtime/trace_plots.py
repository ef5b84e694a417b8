"""Figures of a trace: spike raster, accuracy over time. matplotlib is imported on use."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .figures import COLORS, new_figure

MAX_NEURONS = 200  # of one population in a raster


def draw_raster(spikes: Mapping[str, NDArray[np.uint8]]) -> Any:
    """Draw spikes by population, uint8 (timesteps, *shape), as a raster plot."""
    figure = new_figure("Trace.plot_raster", (7.0, 1.0 + 1.3 * len(spikes)))
    panels = np.atleast_1d(figure.subplots(len(spikes), sharex=True))
    for panel, (name, array) in zip(panels, spikes.items(), strict=True):
        flat = array.reshape(len(array), -1)
        rows = min(flat.shape[1], MAX_NEURONS)
        neurons = np.arange(rows) * flat.shape[1] // rows
        times, drawn = flat[:, neurons].nonzero()
        panel.scatter(times + 1, neurons[drawn], s=16, marker="|", color=COLORS[0])
        panel.set_xlim(0.5, len(flat) + 0.5)
        panel.set_ylim(-1, flat.shape[1])
        panel.set_ylabel(name, rotation=0, ha="right", va="center")
    panels[-1].set_xlabel("timestep")
    return figure


def draw_accuracy(accuracy: NDArray[np.float64]) -> Any:
    """Draw accuracy, float64 (timesteps,), 0 to 1, against the number of timesteps."""
    figure = new_figure("Trace.plot_accuracy", (5.0, 3.5))
    panel = figure.subplots()
    panel.plot(np.arange(1, len(accuracy) + 1), accuracy, marker="o", markersize=3, color=COLORS[0])
    panel.set_xlabel("timesteps")
    panel.set_ylabel("accuracy")
    panel.set_ylim(0, 1)
    panel.grid(alpha=0.3)
    return figure
