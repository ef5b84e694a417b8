"""Pages of the Python API: the public names of `pumice` and of its public subpackages."""

import importlib
import inspect
import warnings
from dataclasses import dataclass
from types import ModuleType

import pumice


@dataclass(frozen=True)
class Section:
    """A page: its title, an introduction, and the modules whose public names it documents."""

    title: str
    about: str
    modules: tuple[str, ...]


SECTIONS = {
    "network": Section(
        "Network, program and trace",
        "The integer intermediate representation and the result of a run.",
        ("pumice.runtime",),
    ),
    "datasets": Section(
        "Datasets",
        "`pumice.datasets`: event recordings and images as frames.",
        ("pumice.train.data",),
    ),
    "models": Section(
        "Models and layers",
        "`pumice.models`: architectures; and the layers that they are built of.",
        ("pumice.train.models", "pumice.train.nn.layers", "pumice.train.nn.neuron"),
    ),
    "training": Section(
        "Training and evaluation",
        "Checkpoints, metrics over time, early exit, linear read-out.",
        (
            "pumice.train",
            "pumice.train.evaluation.linear_readout",
            "pumice.train.evaluation.knn",
            "pumice.train.evaluation.probe",
        ),
    ),
    "losses": Section(
        "Losses",
        "Losses on the logits of every time step. They are chosen by name: "
        '`pumice.train(..., loss="etc")`.',
        (
            "pumice.train.losses.cross_entropy",
            "pumice.train.losses.tet",
            "pumice.train.losses.etc",
            "pumice.train.losses.tcl",
            "pumice.train.losses.distillation",
            "pumice.train.losses.confidence",
        ),
    ),
    "unsupervised": Section(
        "Self-supervised learning and STDP",
        "Pretraining with PredNext, and heterogeneous recurrent networks (HRSNN).",
        (
            "pumice.train.ssl.pretrain",
            "pumice.train.ssl.losses",
            "pumice.train.ssl.prednext",
            "pumice.train.hrsnn",
            "pumice.train.hrsnn.fit",
        ),
    ),
    "conversion": Section(
        "Conversion and file formats",
        "Importers, the float network, quantization, NIR, netx and ONNX.",
        ("pumice.convert", "pumice.convert.quantize.scales"),
    ),
    "deployment": Section(
        "Placement, cost and targets",
        "Targets, the placement on cores, and the estimate of energy and latency.",
        (
            "pumice.deploy.targets.target",
            "pumice.deploy.placement.place",
            "pumice.deploy.placement.lower_bound",
            "pumice.deploy.profile",
            "pumice.deploy.cost.estimate",
            "pumice.deploy.cost.energy",
            "pumice.deploy.cost.latency",
        ),
    ),
    "engines": Section(
        "Engines and verification",
        "The engine registry, the arithmetic of a time step, and the comparison of engines.",
        (
            "pumice.runtime.engines.registry",
            "pumice.runtime.arithmetic",
            "pumice.runtime.encoders",
            "pumice.runtime.verify",
            "pumice.runtime.early_exit",
            "pumice.runtime.plasticity",
        ),
    ),
    "streaming": Section(
        "Streams", "Classification of events as they arrive.", ("pumice.runtime.stream",)
    ),
    "reports": Section(
        "Reports and plots",
        "Reports as HTML, CSV and JSON; and `pumice.plots`: matplotlib figures of reports.",
        ("pumice.report", "pumice.report.plots"),
    ),
}


def pages() -> dict[str, str]:
    """The pages in reStructuredText, by file name."""
    documented = set(pumice.EXPORTS.values())
    texts = {"api-pumice.rst": _top_level()}
    for name, section in SECTIONS.items():
        texts[f"api-{name}.rst"] = _section(section, documented)
    return texts


def _top_level() -> str:
    lines = _title("pumice") + [
        "The public names of the package, imported on first use: ``import pumice as pm``.",
        "",
    ]
    for name, location in sorted(pumice.EXPORTS.items()):
        module, _, attribute = location.partition(":")
        if attribute and not inspect.isclass(getattr(pumice, name)):
            lines += _title(f"pumice.{name}", "-") + _directive("function", f"{module}.{attribute}")
    lines += _title("Classes and modules", "-")
    for name, location in sorted(pumice.EXPORTS.items()):
        module, _, attribute = location.partition(":")
        kind = "module" if not attribute else "class"
        if not attribute or inspect.isclass(getattr(pumice, name)):
            lines.append(f"- ``pumice.{name}``: the {kind} ``{location.replace(':', '.')}``")
    return "\n".join([*lines, ""])


def _section(section: Section, documented: set[str]) -> str:
    lines = _title(section.title) + [section.about.replace("`", "``"), ""]
    for module in section.modules:
        members = _public_members(module)
        fresh = {
            name: path for name, path in members.items() if path.replace(".", ":") not in documented
        }
        fresh = {name: path for name, path in fresh.items() if path not in documented}
        documented.update(fresh.values())
        if not fresh:
            continue
        lines += _title(module, "-")
        for path in fresh.values():
            value = _resolve(path)
            lines += _directive("class" if inspect.isclass(value) else "function", path)
    return "\n".join([*lines, ""])


def _public_members(name: str) -> dict[str, str]:
    """Public classes and functions of a module, with the full names of their definitions.

    Of a package these are the names that it exports, of a module those that it defines.
    """
    module = importlib.import_module(name)
    package = hasattr(module, "__path__")
    members = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for member in dir(module):
            value = None if member.startswith("_") else getattr(module, member)
            if not (inspect.isclass(value) or inspect.isfunction(value)):
                continue
            home = value.__module__
            inside = home.startswith("pumice.") if package else home == name
            if inside and f"{home}:{value.__qualname__}" not in pumice.EXPORTS.values():
                members[member] = f"{home}.{value.__qualname__}"
    # Aliases such as `Energy = Price[...]` refer to one definition.
    return {path: path for path in sorted(set(members.values()), key=_name_of) if _is_own(path)}


def _name_of(path: str) -> str:
    return path.rpartition(".")[2].lower()


def _is_own(path: str) -> bool:
    """True where the definition is found by its full name, and is no instance of a generic."""
    module, _, name = path.rpartition(".")
    return name.isidentifier() and hasattr(importlib.import_module(module), name)


def _resolve(path: str) -> object:
    module, _, name = path.rpartition(".")
    home: ModuleType = importlib.import_module(module)
    return getattr(home, name)


def _directive(kind: str, path: str) -> list[str]:
    lines, value = [f".. auto{kind}:: {path}"], _resolve(path)
    if kind == "class":
        lines.append("   :members:")
        if hasattr(value, "model_fields"):
            lines.append("   :exclude-members: model_config")
        elif getattr(value, "__bases__", (object,)) != (object,):
            lines.append("   :show-inheritance:")
    return [*lines, ""]


def _title(text: str, mark: str = "=") -> list[str]:
    return [text, mark * len(text), ""]
