"""Whether a model can become a network for the chip: every node, before any work is put into it."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from ..runtime.errors import PumiceError
from ..runtime.network import Network
from .findings import Finding, Report
from .graph import Graph
from .model import Findings, open_model
from .model import Options as Options
from .quantise import Rounded, quantised

NOTEWORTHY = 5e-5  # less is none of a hundredth of a percent


def check(
    model: Any,
    target: Callable[[Network], object] | None = None,
    options: Options | None = None,
) -> Report:
    """Return what becomes of each node of `model`.

    `model` is a path (`.net`, `.nir`, `.pumice`), a module of SLAYER, SpikingJelly or snnTorch, a
    `Graph` or a `Network`. Where every node can be carried over, the network is made, rounded where
    it is in real numbers, and given to `target`, which raises a `PumiceError` where the chip cannot
    hold it. Raises `FileError` where a file is absent or damaged.
    """
    opened = open_model(model, options or Options())
    report = Report(opened.name, opened.findings)
    if report.refused:
        return report
    try:
        made = opened.build()
        network, rounded = quantised(made) if isinstance(made, Graph) else (made, ())
    except PumiceError as error:
        return _refused(report, "network", str(error))
    report = replace(report, findings=_with_rounding(report.findings, network, rounded))
    if target is not None:
        try:
            target(network)
        except PumiceError as error:
            return _refused(report, "target", str(error))
    return report


def _refused(report: Report, node: str, reason: str) -> Report:
    finding = Finding(node, node, "refused", reason=reason)
    return replace(report, findings=(*report.findings, finding))


def _with_rounding(findings: Findings, network: Network, rounded: Sequence[Rounded]) -> Findings:
    """Return `findings` with what rounding did to the weights into each population."""
    targets = {projection.name: projection.target for projection in network.projections}
    told: dict[str, list[str]] = {}
    for projection in rounded:
        reason = _rounding(projection)
        if reason:
            told.setdefault(targets[projection.name], []).append(reason)
    known = {finding.node for finding in findings}
    added = [
        Finding(name, "neurons", "fine", "a read-out that adds up") for name in told
        if name not in known
    ]  # fmt: skip
    return tuple(
        replace(finding, verdict="approximated", reason="; ".join(told[finding.node]))
        if finding.node in told
        else finding
        for finding in (*findings, *added)
    )


def _rounding(projection: Rounded) -> str:
    parts = []
    if projection.weight_error > 0:
        bits, off = projection.bits, projection.weight_error
        parts.append(f"weights are rounded to {bits} bits, {off:.2%} off")
    if projection.zeroed:
        parts.append(f"{projection.zeroed} of them become zero")
    if projection.clipped:
        parts.append(f"{projection.clipped} of them are cut")
    if projection.threshold_error > NOTEWORTHY:
        parts.append(f"the threshold is {projection.threshold_error:.2%} off")
    if projection.bias_error > NOTEWORTHY:
        parts.append(f"a bias is up to {projection.bias_error:.2%} of the threshold off")
    return f"{projection.name}: {', '.join(parts)}" if parts else ""
