"""Axes of time and batch in the inputs of a library's neurons, and their kinds by class names."""

from collections.abc import Iterator
from typing import Any, Literal

Layout = Literal["step", "time first", "time second", "merged"]
# Base classes of stateful layers: one that has no parser is unsupported, whatever its forward does.
STATEFUL_CLASSES = (
    "MemoryModule",
    "SNNCell",
    "SNNRecurrentCell",
    "SNN",
    "SNNRecurrent",
    "SpikingNeuron",
    "StatefulLayer",
)


# Stateful layers that only hand the output of the layers in them back to them: they are traced.
FEEDBACK_CLASSES = ("LinearRecurrentContainer", "ElementWiseRecurrentContainer")


def class_names(module: Any) -> list[str]:
    """Names of the class of a module and of its bases."""
    return [cls.__name__ for cls in type(module).__mro__]


def find_kind(module: Any, known: Any) -> str | None:
    """First of the class and its bases that `known` contains; None where there is none."""
    return next((name for name in class_names(module) if name in known), None)


def is_stateful(module: Any) -> bool:
    """Test for a stateful layer of a known library."""
    return any(name in STATEFUL_CLASSES for name in class_names(module)) and not hasattr(
        module, "lifted_module"
    )


def hides_neurons(module: Any) -> bool:
    """Test for a stateful layer whose forward method tells nothing about its neurons."""
    return is_stateful(module) and find_kind(module, FEEDBACK_CLASSES) is None


def layout_of(module: Any) -> Layout:
    """Layout of the inputs that neurons take."""
    names = class_names(module)
    if getattr(module, "step_mode", "s") == "m":
        return "time first"
    if "SqueezeMixin" in names:
        return "merged"
    if "StatefulLayer" in names:
        return "time second"
    return "time first" if "SNN" in names or "SNNRecurrent" in names else "step"


def takes_state(module: Any) -> bool:
    """Test for neurons that take their state as an argument and start anew without it."""
    return find_kind(module, ("SNNCell", "SNNRecurrentCell")) is not None


def reset_states(module: Any) -> None:
    """Reset the states of all neurons of a module."""
    for child in module.modules():
        for method in ("reset", "reset_states", "reset_mem"):
            reset = getattr(child, method, None)
            if callable(reset) and is_stateful(child):
                reset()
                break


def iter_tensors(value: Any) -> Iterator[Any]:
    """Iterate over the tensors in nested sequences and mappings."""
    if hasattr(value, "detach") and hasattr(value, "dim"):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from iter_tensors(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from iter_tensors(each)


def read_output(result: Any, spiking: bool) -> Any:
    """Spikes in the result of neurons, or the voltages of an integrator.

    snnTorch returns spikes and then states, norse the voltages of an integrator first.
    """
    states_follow = isinstance(result, tuple) and len(result) > 1 and hasattr(result[-1], "dim")
    return next(iter_tensors(result)) if spiking or not states_follow else result[-1]
