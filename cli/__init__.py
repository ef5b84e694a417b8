"""The verbs, and the only place that prints."""

from .app import main as main
