"""Run connected Lava processes to completion, or to the error of the one that failed.

Import it after `prepare()`.
"""

import mmap
import time
from collections.abc import Iterator, Sequence
from typing import Any

from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.run_conditions import RunSteps
from lava.magma.core.run_configs import RunConfig
from lava.magma.runtime.message_infrastructure import multiprocessing as infrastructure
from lava.magma.runtime.mgmt_token_enums import MGMT_RESPONSE, enum_equal

from ...runtime.errors import EngineError

POLL_SECONDS = 0.005
ERROR_SECONDS = 5.0


class AnonymousMemory:
    """Replacement of Lava's shared memory, inherited by forked processes and freed with the last.

    Named blocks in `/dev/shm` would outlive processes that are killed.
    """

    def start(self) -> None:
        """Do nothing: there is no process to start."""

    def shutdown(self) -> None:
        """Do nothing: there is no process to stop."""

    def create_shared_memory(self, size: int) -> Any:
        """Allocate a block of `size` bytes, as its `buf`."""
        return type("Block", (), {"buf": memoryview(mmap.mmap(-1, size))})


def use_anonymous_memory() -> None:
    """Make Lava share memory without names; for a dedicated process, in the simulator."""
    infrastructure.SharedMemoryManager = AnonymousMemory


def execute(processes: Sequence[AbstractProcess], steps: int, configuration: RunConfig) -> None:
    """Run `processes` and all that they are connected to for `steps` steps.

    Raises:
        EngineError: A model failed; raised at once, with its message.
    """
    for process in processes:
        if process.runtime is None:  # each connected part of the graph has a runtime of its own
            process.run(RunSteps(num_steps=steps, blocking=False), run_cfg=configuration)
            _wait(process.runtime)


def _wait(runtime: Any) -> None:
    """Wait until all steps are done; Lava's own wait hangs or hides the error of a model."""
    responses = runtime.service_to_runtime
    end = float("inf")
    while time.monotonic() < end:
        for failure in _iter_failures(runtime):
            raise EngineError(failure)
        if end == float("inf") and any(port.probe() for port in responses):
            if all(enum_equal(port.recv(), MGMT_RESPONSE.DONE) for port in responses):
                runtime._is_running = False
                return
            end = time.monotonic() + ERROR_SECONDS  # the failed model will report its error
        time.sleep(POLL_SECONDS)
    raise EngineError("a process failed without a message")


def _iter_failures(runtime: Any) -> Iterator[str]:
    actors = runtime._messaging_infrastructure.actors
    names = [process.name for process in runtime._executable.proc_builders]
    names += ["its runtime service"] * (len(actors) - len(names))
    for name, actor in zip(names, actors, strict=True):
        if actor.exception is not None:
            error, _ = actor.exception
            yield f"{name}: {type(error).__name__}: {error}"
        elif actor.exitcode:
            yield f"{name}: its process ended with status {actor.exitcode}"
