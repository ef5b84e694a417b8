"""Support matrix, from the registries of importers, formats, engines, targets and datasets."""

from importlib import metadata

from markup import code, table

from pumice.convert.formats.netx.checks import SUPPORTED_LAYERS, SUPPORTED_NEURONS
from pumice.convert.formats.nir.ops import NEURON_KINDS, OP_CONVERTERS, SPIKING_KINDS
from pumice.convert.importers import norse, sinabs, snntorch, spikingjelly
from pumice.convert.importers.open import SUFFIXES
from pumice.convert.importers.torch_layers import LAYER_PARSERS
from pumice.deploy.c.tables import HELD
from pumice.deploy.targets.target import list_targets, read_target
from pumice.runtime.engines.registry import ENGINES
from pumice.runtime.exporters import EXPORTERS
from pumice.runtime.neuron_types import FEATURES
from pumice.runtime.population import LIMITS
from pumice.train.data.readers.images import IMAGE_SUFFIXES
from pumice.train.data.readers.recordings import RECORDING_SUFFIXES
from pumice.train.data.registry import LOADERS
from pumice.train.losses.registry import LossOptions
from pumice.train.models.registry import MODELS
from pumice.train.ssl.options import OBJECTIVES

NETWORK_ENGINES = ("reference", "cpu", "onnx", "lava")  # the others run the firmware
PURPOSES = {
    "reference": "numpy; the definition that all others are compared with",
    "cpu": "event-driven and dense compiled code; batches, threads, streams",
    "onnx": "ONNX Runtime on the exported model",
    "lava": "Lava processes in Lava's simulator",
    "c": "the exported firmware, compiled for this machine",
    "cortex-m": "the exported firmware on an emulated Arm Cortex-M",
    "riscv": "the exported firmware on an emulated RISC-V rv32imac",
}


def pages() -> dict[str, str]:
    """The page, by file name."""
    parts = [
        "# Support matrix",
        "All tables are generated from the registries of the installed version.",
        "## Layers by framework",
        "`pumice check MODEL` diagnoses a model, layer by layer.",
        _layer_table(),
        "## NIR nodes",
        _nir_table(),
        "## netx layers (SLAYER)",
        table(
            ("layer", "conversion"),
            [(code(name), text) for name, text in SUPPORTED_LAYERS.items()],
        ),
        f"Neurons: {_list(SUPPORTED_NEURONS)}.",
        "## Neuron types",
        "Beyond the LIF neuron that is reset to zero, which every engine and target holds.",
        _neuron_table(),
        "## Neuron parameters of the integer network",
        table(
            ("parameter", "minimum", "maximum"),
            [(code(name), f"{low:,}", f"{high:,}") for name, (low, high) in LIMITS.items()],
        ),
        "## Models, losses and objectives",
        table(
            ("registry", "names"),
            [
                ("architectures", _list(MODELS)),
                ("losses", _list(LossOptions.model_fields)),
                ("self-supervised objectives", _list(OBJECTIVES)),
                ("datasets", _list(LOADERS)),
            ],
        ),
        "## File formats",
        _format_table(),
        "## Engines",
        table(
            ("engine", "purpose", "needs", "installation"),
            [
                (
                    code(name),
                    PURPOSES.get(name, ""),
                    _list((*engine.packages, *engine.tools)) or "none",
                    code(engine.install) if engine.packages or engine.tools else "",
                )
                for name, engine in ENGINES.items()
            ],
        ),
        "## Targets",
        _target_table(),
        "## Platforms",
        _platforms(),
    ]
    return {"support.md": "\n\n".join(parts) + "\n"}


def _list(names: object) -> str:
    return ", ".join(code(name) for name in names)  # type: ignore[attr-defined]


def _layer_table() -> str:
    frameworks = {
        "torch": dict(LAYER_PARSERS),
        "SpikingJelly": dict(spikingjelly.NEURON_PARSERS),
        "snnTorch": dict(snntorch.NEURON_PARSERS),
        "norse": dict(norse.NEURON_PARSERS),
        "sinabs": dict(sinabs.NEURON_PARSERS),
    }
    rows = [
        (framework, code(layer)) for framework, parsers in frameworks.items() for layer in parsers
    ]
    grouped: dict[str, list[str]] = {}
    for framework, layer in rows:
        grouped.setdefault(framework, []).append(layer)
    return table(
        ("framework", "classes"),
        [(framework, ", ".join(layers)) for framework, layers in grouped.items()],
    )


def _neuron_table() -> str:
    targets = [read_target(name) for name in list_targets()]
    rows = []
    for name in FEATURES:
        holding = [
            code(target.name)
            for target in targets
            if target.mcu or (target.neuron and target.neuron.features)
            if (name in HELD if target.mcu else name in target.neuron.features.value)
        ]
        engines = "all" if name in HELD else ", ".join(map(code, NETWORK_ENGINES))
        rows.append((name, engines, ", ".join(holding)))
    return table(("type", "engines", "targets"), rows)


def _nir_table() -> str:
    stateless = [kind for kind in OP_CONVERTERS if kind != "Delay"]
    read_outs = [kind for kind in NEURON_KINDS if kind not in SPIKING_KINDS]
    return table(
        ("kind", "nodes"),
        [
            ("spiking neurons", _list(SPIKING_KINDS)),
            ("integrators (read-out)", _list(read_outs)),
            ("linear operations", _list(stateless)),
            ("delay", "`Delay`, one value per node"),
        ],
    )


def _format_table() -> str:
    extras = {
        name: f" (extra {code(exporter.extra)})" if exporter.extra else ""
        for name, exporter in EXPORTERS.items()
    }
    rows = [("model", code(suffix), "read") for suffix in SUFFIXES]
    rows += [
        ("model", code(name), f"written by `pumice export`{extras[name]}") for name in EXPORTERS
    ]
    rows += [
        ("event recording", _list(sorted(RECORDING_SUFFIXES)), "read"),
        ("image", _list(sorted(IMAGE_SUFFIXES)), "read"),
        ("report", "`html`, `csv`, `json`", "written by `pumice report`"),
    ]
    return table(("kind", "format", "support"), rows)


def _target_table() -> str:
    rows = []
    for name in list_targets():
        target = read_target(name)
        cores = f"{target.chip.cores.value:,}" if target.chip else ""
        lists = [f"energy {each}" for each in target.energy]
        lists += [f"time {each}" for each in target.time]
        rows.append((code(name), target.about, cores, ", ".join(lists)))
    return table(("target", "description", "cores per chip", "price lists"), rows)


def _platforms() -> str:
    python = metadata.metadata("pumice")["Requires-Python"]
    return (
        f"Python {python}. Continuous integration runs on Linux x86-64 with a CPU; training on "
        "GPUs and other operating systems are not tested. A bare installation (no extras) runs, "
        "verifies and profiles converted networks without torch."
    )
