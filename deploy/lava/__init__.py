"""The Lava process graph of a network; the only place that imports Lava."""
