"""HRSNN: heterogeneous recurrent SNNs trained by heterogeneous STDP (Chakraborty & Mukhopadhyay).

"Heterogeneous Recurrent Spiking Neural Network for Spatio-Temporal Classification", Frontiers in
Neuroscience 17:994517, 2023. From event data to an integer network: wiring, STDP with homeostasis,
linear read-out, Bayesian optimization of the parameter distributions, and quantization.

Names are imported when they are first used: recipes need neither numba nor scipy.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .distributions import GammaDistribution as GammaDistribution
    from .encode import frame_differences as frame_differences
    from .encode import read_grayscale as read_grayscale
    from .learn import simulate as simulate
    from .learn import train_stdp as train_stdp
    from .network import RecurrentNetwork as RecurrentNetwork
    from .network import build_recurrent_network as build_recurrent_network
    from .options import VARIANTS as VARIANTS
    from .options import HrsnnOptions as HrsnnOptions
    from .options import apply_variant as apply_variant
    from .quantize import to_network as to_network
    from .readout import extract_features as extract_features
    from .readout import fit_readout as fit_readout

EXPORTS = {
    "GammaDistribution": "distributions",
    "HrsnnOptions": "options",
    "RecurrentNetwork": "network",
    "VARIANTS": "options",
    "apply_variant": "options",
    "build_recurrent_network": "network",
    "extract_features": "readout",
    "fit_readout": "readout",
    "frame_differences": "encode",
    "read_grayscale": "encode",
    "simulate": "learn",
    "to_network": "quantize",
    "train_stdp": "learn",
}


def __getattr__(name: str) -> Any:
    if name not in EXPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{EXPORTS[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *EXPORTS})
