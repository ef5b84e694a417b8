"""The verbs, and the only place that prints."""

from .main import main as main
