"""Targets as data: limits, energies and times, each with its source."""
