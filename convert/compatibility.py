"""Compatibility check: which layers of a model can be converted, before any work is put into it."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ..runtime.errors import PumiceError
from ..runtime.network import Network
from .diagnostics import CompatibilityReport, LayerDiagnostic
from .importers.open import Diagnostics, inspect_model
from .importers.open import ImportOptions as ImportOptions
from .pipeline import quantize_model
from .quantize.float_network import FloatNetwork, FloatPopulation
from .quantize.quantization_errors import ProjectionQuantization, list_lost_parameters

MIN_REPORTED_ERROR = 5e-5  # smaller ones round to 0.00 %
MAX_RUN_NEURONS = 20_000  # of a network that is run for the changed spikes
DRAWN_TIMESTEPS, DRAWN_SAMPLES = 12, 4


def check_compatibility(
    model: Any,
    target: Callable[[Network], object] | None = None,
    options: ImportOptions | None = None,
) -> CompatibilityReport:
    """Check every layer of a model: exact, approximate or unsupported.

    Where every layer is supported, the model is converted as `quantize_model` does by default, and
    the diagnostics name the quantization errors of each layer.

    Args:
        model: A path (`.net`, `.nir`, `.pumice`), a module of SLAYER, SpikingJelly or snnTorch, a
            `FloatNetwork` or a `Network`.
        target: Called with the converted network; raises a `PumiceError` where the network does
            not fit the chip.
        options: What the model leaves out; see `ImportOptions`.

    Returns:
        One diagnostic per layer, in the model's order.

    Raises:
        FileError: The file is absent or damaged.
    """
    imported = inspect_model(model, options or ImportOptions())
    report = CompatibilityReport(imported.name, imported.diagnostics)
    if report.unsupported:
        return report
    try:
        built = imported.build()
        network, quantization = quantize_model(built)
    except PumiceError as error:
        return _add_unsupported(report, "network", str(error))
    nodes = {p.name: p.node or p.name for p in built.populations if isinstance(p, FloatPopulation)}
    lost = list_lost_parameters(built, network) if isinstance(built, FloatNetwork) else {}
    by_node = {nodes.get(name, name): texts for name, texts in lost.items()}
    diagnostics = _add_quantization_errors(
        report.diagnostics, network, quantization.projections, nodes, by_node
    )
    report = replace(report, diagnostics=diagnostics)
    if isinstance(built, FloatNetwork):
        report = replace(
            report,
            carried_percent=_carried_percent(built, quantization.projections),
            changed_percent=_changed_percent(built, network),
        )
    if target is not None:
        try:
            target(network)
        except PumiceError as error:
            return _add_unsupported(report, "target", str(error))
    return report


def _carried_percent(built: FloatNetwork, errors: tuple[ProjectionQuantization, ...]) -> float:
    weights = sum(int(np.count_nonzero(p.weights)) for p in built.projections)
    return 100.0 * (1 - sum(each.zeroed_weights for each in errors) / max(weights, 1))


def _changed_percent(built: FloatNetwork, network: Network) -> float | None:
    """Spikes that differ between floats and integers, as a percentage of those in floats."""
    if sum(population.neurons for population in network.populations) > MAX_RUN_NEURONS:
        return None
    from ..runtime.engines import reference
    from .quantize.float_simulator import simulate_float_network

    rng = np.random.default_rng(0)
    top = (1 << built.value_bits) - 1
    shape = DRAWN_TIMESTEPS, DRAWN_SAMPLES, *built.input_shape
    events = rng.integers(0, top, shape, np.uint8, endpoint=True)
    floats = simulate_float_network(built, events)
    integers = reference.run(network, events).spikes
    spiking = [p.name for p in built.populations if p.spiking]
    spikes = sum(float(floats[name].sum()) for name in spiking)
    changed = sum(float(np.sum(floats[name] != integers[name])) for name in spiking)
    if not spikes:
        return None if not changed else 100.0
    return min(100.0 * changed / spikes, 100.0)


def _add_unsupported(report: CompatibilityReport, node: str, reason: str) -> CompatibilityReport:
    diagnostic = LayerDiagnostic(node, node, "unsupported", reason=reason)
    return replace(report, diagnostics=(*report.diagnostics, diagnostic))


def _add_quantization_errors(
    diagnostics: Diagnostics,
    network: Network,
    errors: tuple[ProjectionQuantization, ...],
    nodes: Mapping[str, str],
    lost: Mapping[str, list[str]],
) -> Diagnostics:
    """Mark the nodes of the populations that rounding changed as approximate."""
    targets = {p.name: nodes.get(p.target, p.target) for p in network.projections}
    reasons: dict[str, list[str]] = {node: list(texts) for node, texts in lost.items()}
    for each in errors:
        reason = _describe_error(each)
        if reason:
            reasons.setdefault(targets[each.name], []).append(reason)
    known = {diagnostic.node for diagnostic in diagnostics}
    readouts = [
        LayerDiagnostic(name, "neurons", "exact", "a read-out that integrates its input")
        for name in reasons
        if name not in known
    ]
    return tuple(
        replace(each, support="approximate", reason="; ".join(reasons[each.node]))
        if each.node in reasons
        else each
        for each in (*diagnostics, *readouts)
    )


def _describe_error(errors: ProjectionQuantization) -> str:
    parts = []
    if errors.weight_error > 0:
        parts.append(f"{errors.weight_bits}-bit weights with an error of {errors.weight_error:.2%}")
    if errors.zeroed_weights:
        parts.append(f"{errors.zeroed_weights} weights become zero")
    if errors.clipped_weights:
        parts.append(f"{errors.clipped_weights} weights are clipped")
    if errors.threshold_error > MIN_REPORTED_ERROR:
        parts.append(f"a threshold error of {errors.threshold_error:.2%}")
    if errors.bias_error > MIN_REPORTED_ERROR:
        parts.append(f"a bias error of up to {errors.bias_error:.2%} of the threshold")
    return f"{errors.name}: {', '.join(parts)}" if parts else ""
