"""pumice: train, convert, deploy and verify spiking neural networks.

    import pumice as pm

    data = pm.datasets.load("digits-events", timesteps=8)
    model = pm.models.ConvNet(data.input_shape, data.classes, channels=[16, 32], hidden=[128])
    pm.train(model, data, epochs=18, loss="etc")
    net = pm.convert(model, weight_bits=8, calibrate=data.train)
    trace = pm.run(net, data.test, engine="cpu")

Names are imported when they are first used: `import pumice` loads neither torch nor numpy. Arrays
of events have the axes (timesteps, batch, channels, height, width) everywhere.
"""

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .convert.compatibility import check_compatibility as check_compatibility
    from .deploy.placement.place import place as place
    from .deploy.profile import profile as profile
    from .report import build_report as build_report
    from .report import plots as plots
    from .report import read_report as read_report
    from .report import write_report as write_report
    from .runtime import Network as Network
    from .runtime import Population as Population
    from .runtime import Program as Program
    from .runtime import Projection as Projection
    from .runtime import PumiceError as PumiceError
    from .runtime import Trace as Trace
    from .runtime import read_network
    from .runtime.encoders.inputs import encode as encode
    from .runtime.engines.run import run as run
    from .runtime.verify import verify as verify
    from .train import data
    from .train import models as models
    from .train.engine.train import train as train
    from .train.evaluation.early_exit import calibrate_early_exit as calibrate_early_exit
    from .train.evaluation.evaluate import evaluate as evaluate
    from .train.export import convert as convert
    from .train.models import modules
    from .train.recipes.loader import load_recipe as load_recipe
    from .train.ssl.pretrain import pretrain as pretrain

    datasets = data
    load = read_network
    nn = modules
    __version__: str

# Public name -> "module" or "module:attribute".
EXPORTS = {
    "Network": "pumice.runtime:Network",
    "Population": "pumice.runtime:Population",
    "Program": "pumice.runtime:Program",
    "Projection": "pumice.runtime:Projection",
    "PumiceError": "pumice.runtime:PumiceError",
    "Trace": "pumice.runtime:Trace",
    "build_report": "pumice.report:build_report",
    "calibrate_early_exit": "pumice.train.evaluation.early_exit:calibrate_early_exit",
    "check_compatibility": "pumice.convert.compatibility:check_compatibility",
    "convert": "pumice.train.export:convert",
    "datasets": "pumice.train.data",
    "encode": "pumice.runtime.encoders.inputs:encode",
    "evaluate": "pumice.train.evaluation.evaluate:evaluate",
    "load": "pumice.runtime:read_network",
    "load_recipe": "pumice.train.recipes.loader:load_recipe",
    "models": "pumice.train.models",
    "nn": "pumice.train.models.modules",
    "place": "pumice.deploy.placement.place:place",
    "plots": "pumice.report.plots",
    "pretrain": "pumice.train.ssl.pretrain:pretrain",
    "profile": "pumice.deploy.profile:profile",
    "read_report": "pumice.report:read_report",
    "run": "pumice.runtime.engines.run:run",
    "train": "pumice.train.engine.train:train",
    "verify": "pumice.runtime.verify:verify",
    "write_report": "pumice.report:write_report",
}


# Subpackages that are also the public function of their name.
CALLABLE = frozenset({"convert", "train"})


def _resolve(name: str) -> Any:
    module, _, attribute = EXPORTS[name].partition(":")
    resolved = importlib.import_module(module)
    return getattr(resolved, attribute) if attribute else resolved


class _CallableModule(ModuleType):
    """A subpackage that can be called: `pumice.train(model, data)` and `pumice.train.losses`."""

    def __call__(self, *args: Any, **options: Any) -> Any:
        return _resolve(self.__name__.rpartition(".")[2])(*args, **options)

    @property
    def __signature__(self) -> Any:
        import inspect

        return inspect.signature(_resolve(self.__name__.rpartition(".")[2]))


class _Package(ModuleType):
    """The package `pumice`; the import system binds subpackages here, which makes some callable."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name in CALLABLE and type(value) is ModuleType:
            value.__class__ = _CallableModule
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package


def __getattr__(name: str) -> Any:
    if name in CALLABLE:
        return importlib.import_module(f"pumice.{name}")
    if name == "__version__":
        from importlib import metadata

        value: Any = metadata.version("pumice")
    elif name in EXPORTS:
        value = _resolve(name)
    else:
        raise AttributeError(f"module 'pumice' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *EXPORTS, "__version__"})
