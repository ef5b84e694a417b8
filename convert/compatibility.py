"""Whether a model can become a network for the chip: every node, before any work is put into it."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from ..runtime.errors import PumiceError
from ..runtime.network import Network
from .diagnostics import CompatibilityReport, LayerDiagnostic
from .importers.open import Diagnostics, inspect_model
from .importers.open import ImportOptions as ImportOptions
from .quantize.float_network import FloatNetwork
from .quantize.quantize import ProjectionQuantization, quantize_network

MIN_REPORTED_ERROR = 5e-5  # less is none of a hundredth of a percent


def check_compatibility(
    model: Any,
    target: Callable[[Network], object] | None = None,
    options: ImportOptions | None = None,
) -> CompatibilityReport:
    """Return what becomes of each node of `model`.

    `model` is a path (`.net`, `.nir`, `.pumice`), a module of SLAYER, SpikingJelly or snnTorch, a
    `Graph` or a `Network`. Where every node can be carried over, the network is made, rounded where
    it is in real numbers, and given to `target`, which raises a `PumiceError` where the chip cannot
    hold it. Raises `FileError` where a file is absent or damaged.
    """
    opened = inspect_model(model, options or ImportOptions())
    report = CompatibilityReport(opened.name, opened.diagnostics)
    if report.unsupported:
        return report
    try:
        made = opened.build()
        network, rounded = quantize_network(made) if isinstance(made, FloatNetwork) else (made, ())
    except PumiceError as error:
        return _add_unsupported(report, "network", str(error))
    report = replace(
        report, diagnostics=_add_quantization_errors(report.diagnostics, network, rounded)
    )
    if target is not None:
        try:
            target(network)
        except PumiceError as error:
            return _add_unsupported(report, "target", str(error))
    return report


def _add_unsupported(report: CompatibilityReport, node: str, reason: str) -> CompatibilityReport:
    finding = LayerDiagnostic(node, node, "unsupported", reason=reason)
    return replace(report, diagnostics=(*report.diagnostics, finding))


def _add_quantization_errors(
    findings: Diagnostics, network: Network, rounded: Sequence[ProjectionQuantization]
) -> Diagnostics:
    """Return `findings` with what rounding did to the weights into each population."""
    targets = {projection.name: projection.target for projection in network.projections}
    told: dict[str, list[str]] = {}
    for projection in rounded:
        reason = _describe_error(projection)
        if reason:
            told.setdefault(targets[projection.name], []).append(reason)
    known = {finding.node for finding in findings}
    added = [
        LayerDiagnostic(name, "neurons", "exact", "a read-out that adds up") for name in told
        if name not in known
    ]  # fmt: skip
    return tuple(
        replace(finding, support="approximate", reason="; ".join(told[finding.node]))
        if finding.node in told
        else finding
        for finding in (*findings, *added)
    )


def _describe_error(projection: ProjectionQuantization) -> str:
    parts = []
    if projection.weight_error > 0:
        bits, off = projection.weight_bits, projection.weight_error
        parts.append(f"weights are rounded to {bits} bits, {off:.2%} off")
    if projection.zeroed_weights:
        parts.append(f"{projection.zeroed_weights} of them become zero")
    if projection.clipped_weights:
        parts.append(f"{projection.clipped_weights} of them are cut")
    if projection.threshold_error > MIN_REPORTED_ERROR:
        parts.append(f"the threshold is {projection.threshold_error:.2%} off")
    if projection.bias_error > MIN_REPORTED_ERROR:
        parts.append(f"a bias is up to {projection.bias_error:.2%} of the threshold off")
    return f"{projection.name}: {', '.join(parts)}" if parts else ""
