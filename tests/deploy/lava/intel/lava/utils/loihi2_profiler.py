"""Stub: if this module exists, Lava assumes that Intel's package is installed.

Its probes report fixed times and powers for a run of the given number of steps.
"""

from typing import Any


class Loihi2Power:
    """Power probe, in watts."""

    def __init__(self, num_steps: int) -> None:
        self.total_power = [0.25, 0.75] * num_steps
        self.static_total_power = 0.2
        self.vdd_power, self.vddm_power, self.vddio_power = [0.1, 0.3], [0.25], [0.05]

    def pre_run_callback(self, board: Any, var_id_to_var_model_map: Any) -> None:
        """Called before the run."""

    def post_run_callback(self, board: Any, var_id_to_var_model_map: Any) -> None:
        """Called after the run."""


class Loihi2ExecutionTime(Loihi2Power):
    """Time probe, in microseconds per step."""

    def __init__(self) -> None:
        self.time_per_step = [100.0, 200.0]
