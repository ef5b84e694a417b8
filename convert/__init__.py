"""Conversion: third-party and trained models to the integer `Network`, and its export.

    importers/  torch layers of SpikingJelly, snnTorch and SLAYER, and files, to one model
    formats/    NIR, netx, ONNX and HDF5 files: reader, writer and metadata of each
    quantize/   the float network, its linear operations, calibration and quantization
    passes/     transformations of an integer network that keep its spikes
    pipeline    `quantize_model`, the one way from a float network to integers

Inside, imports point one way: importers -> formats -> quantize, and the pipeline uses quantize and
passes. Names are imported when they are first used, since the formats need packages of an extra.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .compatibility import check_compatibility as check_compatibility
    from .diagnostics import CompatibilityReport as CompatibilityReport
    from .diagnostics import LayerDiagnostic as LayerDiagnostic
    from .formats.netx.reader import read_netx as read_netx
    from .formats.netx.writer import round_network_biases as round_network_biases
    from .formats.netx.writer import write_netx as write_netx
    from .formats.nir.files import read_nir as read_nir
    from .formats.nir.files import write_nir as write_nir
    from .formats.onnx.writer import run_onnx as run_onnx
    from .formats.onnx.writer import to_onnx as to_onnx
    from .formats.onnx.writer import to_onnx_step as to_onnx_step
    from .formats.onnx.writer import write_onnx as write_onnx
    from .importers.open import ImportOptions as ImportOptions
    from .importers.open import import_model as import_model
    from .importers.slayer import from_slayer as from_slayer
    from .importers.snntorch import from_snntorch as from_snntorch
    from .importers.spikingjelly import from_spikingjelly as from_spikingjelly
    from .pipeline import QuantizationReport as QuantizationReport
    from .pipeline import quantize_model as quantize_model
    from .quantize.calibration import calibrate as calibrate
    from .quantize.float_network import FloatNetwork as FloatNetwork
    from .quantize.float_network import FloatPopulation as FloatPopulation
    from .quantize.float_network import FloatProjection as FloatProjection
    from .quantize.mixed_precision import search_bit_widths as search_bit_widths

EXPORTS = {
    "CompatibilityReport": "diagnostics",
    "FloatNetwork": "quantize.float_network",
    "FloatPopulation": "quantize.float_network",
    "FloatProjection": "quantize.float_network",
    "ImportOptions": "importers.open",
    "LayerDiagnostic": "diagnostics",
    "QuantizationReport": "pipeline",
    "calibrate": "quantize.calibration",
    "check_compatibility": "compatibility",
    "from_slayer": "importers.slayer",
    "from_snntorch": "importers.snntorch",
    "from_spikingjelly": "importers.spikingjelly",
    "import_model": "importers.open",
    "quantize_model": "pipeline",
    "read_netx": "formats.netx.reader",
    "read_nir": "formats.nir.files",
    "round_network_biases": "formats.netx.writer",
    "run_onnx": "formats.onnx.writer",
    "search_bit_widths": "quantize.mixed_precision",
    "to_onnx": "formats.onnx.writer",
    "to_onnx_step": "formats.onnx.writer",
    "write_netx": "formats.netx.writer",
    "write_nir": "formats.nir.files",
    "write_onnx": "formats.onnx.writer",
}


def __getattr__(name: str) -> Any:
    if name not in EXPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{EXPORTS[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *EXPORTS})
