"""The binding in runtime/core/module.c."""

from typing import Any, NewType

from numpy.typing import NDArray

Core = NewType("Core", object)
State = tuple[NDArray[Any], ...]

def load(arrays: tuple[NDArray[Any], ...], /) -> Core: ...
def checksum(arrays: tuple[NDArray[Any], ...], /) -> int: ...
def variants() -> tuple[str, ...]: ...
def workspace_size(network: Core, /) -> int: ...
def advance(
    network: Core,
    variant: str,
    state: State,
    workspace: NDArray[Any],
    shape: tuple[int, int],
    recording: tuple[Any, ...],
    fresh: bool,
    counter: NDArray[Any],
    part: tuple[int, int],
    /,
) -> int: ...
def group_size(network: Core, /) -> int: ...
def advance_group(
    network: Core,
    variant: str,
    state: State,
    workspace: NDArray[Any],
    lanes: NDArray[Any],
    shape: tuple[int, int],
    recording: tuple[Any, ...],
    fresh: bool,
    counter: NDArray[Any],
    limit: int,
    /,
) -> int: ...
def learn(
    network: Core,
    variant: str,
    state: State,
    workspace: NDArray[Any],
    timesteps: int,
    batch: int,
    events: tuple[Any, ...],
    none: tuple[Any, ...],
    counts: NDArray[Any],
    rules: tuple[tuple[NDArray[Any], ...], ...],
    /,
) -> int: ...
def lay_by_input(
    weights: NDArray[Any], shape: tuple[int, ...], places: NDArray[Any], to: NDArray[Any], /
) -> None: ...
def lay_by_quad(
    laid: NDArray[Any],
    shape: tuple[int, ...],
    places: NDArray[Any],
    joined: bool,
    to: NDArray[Any],
    /,
) -> None: ...
def extreme_sums(weights: NDArray[Any], rows: int, signed: int, /) -> tuple[int, int]: ...
