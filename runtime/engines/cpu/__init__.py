"""CPU engine: event-driven and dense loops for batches, threads and streams."""

from .engine import initial_state as initial_state
from .engine import run as run
from .engine import run_from_state as run_from_state
from .engine import silence as silence
