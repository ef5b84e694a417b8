"""Targets: limits, energies and times of a chip, each with its source."""
