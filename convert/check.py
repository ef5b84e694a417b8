"""Whether a model can become a network for the chip: every node, before any work is put into it."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..runtime.errors import FileError, PumiceError
from ..runtime.files import read_network
from ..runtime.network import Network
from . import modules, netx, netx_rules, nir, nir_nodes, snntorch, spikingjelly
from .chain import chained
from .findings import Finding, Report
from .graph import Graph
from .hdf5 import contents
from .netx_layer import layers
from .nir_file import nir_file
from .nir_nodes import Reset
from .nir_scheme import SCHEME
from .quantise import Rounded, quantised
from .slayer import exported, is_slayer

CELLS: Mapping[str, modules.Reading] = {**spikingjelly.CELLS, **snntorch.CELLS}
SHORTEST_STEP = 1e-12  # stands in for a dt that is not given, so that all else can be told
Findings = tuple[Finding, ...]


@dataclass(frozen=True)
class Options:
    """What a model may leave out: see `read_netx` and `read_nir`."""

    input_shape: tuple[int, ...] | None = None
    value_bits: int = 1
    dt: float | None = None
    reset: Reset | None = None


@dataclass(frozen=True)
class _Model:
    """A model's name, what was found of its nodes, and how to go on where none is refused."""

    name: str
    findings: Findings
    build: Callable[[], Network | Graph]


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
    opened = _opened(model, options or Options())
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


def _opened(model: Any, options: Options) -> _Model:
    if isinstance(model, Network):
        return _Model("network", _as_it_is(model), lambda: model)
    if isinstance(model, Graph):
        nodes = tuple(Finding(n.name, "neurons", "fine", "as trained") for n in model.neurons)
        return _Model("graph", nodes, lambda: model)
    if isinstance(model, str | os.PathLike):
        return _opened_file(Path(model), options)
    if is_slayer(model):
        return _opened_netx("slayer", exported(model), options)
    things, findings = modules.examined(model, CELLS)
    shape = options.input_shape
    if shape is None:
        findings += (_asked("input", "its shape", "give input_shape"),)
        shape = ()
    name = type(model).__name__
    made_by = {"format": name}
    return _Model(name, findings, lambda: chained(things, shape, options.value_bits, made_by))


def _opened_file(path: Path, options: Options) -> _Model:
    if path.suffix == ".pumice":
        network = read_network(path)
        return _Model(path.name, _as_it_is(network), lambda: network)
    try:
        if path.suffix == ".net":
            return _opened_netx(path.name, contents(path), options)
        if path.suffix == ".nir":
            return _opened_nir(path.name, contents(path), options)
    except FileError as error:
        text = str(error).removeprefix(f"{path}: ")
        raise FileError(f"{path}: {text}") from None
    raise FileError(f"{path}: is none of .net, .nir and .pumice")


def _opened_netx(name: str, arrays: Mapping[str, Any], options: Options) -> _Model:
    def build() -> Network:
        return netx.network_from(arrays, options.input_shape, options.value_bits, {})[0]

    return _Model(name, netx_rules.examined(layers(arrays)), build)


def _opened_nir(name: str, arrays: Mapping[str, Any], options: Options) -> _Model:
    def build() -> Network:
        return nir.network_from(arrays, options.dt, options.reset, options.value_bits, {})[0]

    file = nir_file(arrays)
    if SCHEME in file.metadata:
        return _Model(name, nir.as_they_are(file), build)
    findings = nir_nodes.examined(file.nodes, options.dt or SHORTEST_STEP, options.reset)
    if options.dt is None:
        findings += (_asked("time", "the seconds of one step", "give dt"),)
    return _Model(name, findings, build)


def _asked(node: str, what: str, mend: str) -> Finding:
    return Finding(node, node, "refused", reason=f"the model says nothing of {what}", mend=mend)


def _as_it_is(network: Network) -> Findings:
    nodes: list[tuple[str, str]] = [(p.name, p.kind) for p in network.populations]
    nodes += [(p.name, type(p.connection).__name__) for p in network.projections]
    return tuple(Finding(name, kind, "fine", "its integers") for name, kind in nodes)


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
        parts.append(f"weights are rounded to 8 bits, {projection.weight_error:.2%} off")
    if projection.zeroed:
        parts.append(f"{projection.zeroed} of them become zero")
    if projection.clipped:
        parts.append(f"{projection.clipped} of them are cut")
    if projection.threshold_error > 0:
        parts.append(f"the threshold is {projection.threshold_error:.2%} off")
    if projection.bias_error > 0:
        parts.append(f"a bias is up to {projection.bias_error:.2%} of the threshold off")
    return f"{projection.name}: {', '.join(parts)}" if parts else ""
