"""Small reports: without measurements, with all of them, and the parts of a placed network."""

from dataclasses import replace

from pumice.report import (
    AccuracyCurve,
    CoreLoad,
    Energy,
    Placement,
    PopulationActivity,
    ProjectionActivity,
    Report,
    Sample,
    SpikeRaster,
    Timing,
)
from pumice.runtime.divergence import Divergence
from pumice.runtime.verify import EngineResult, VerificationReport

BARE = Report(
    title="one <network>",
    network="ab" * 32,
    timesteps=2,
    samples=3,
    synapses=40,
    populations=(
        PopulationActivity("in", "input", (4,), 4, 1.5, 0),
        PopulationActivity("out", "cuba", (10,), 10, 2, 20),
    ),
    projections=(ProjectionActivity("p", "in", "out", "dense", 40, 15.0),),
    cumulative_operations=(5.0, 15.0),
)
FULL = replace(
    BARE,
    curves=(
        AccuracyCurve("float", (0.5, 0.75)),
        AccuracyCurve("integer", (0.5, 0.625)),
        AccuracyCurve("Lava", (0.5, 0.625)),
    ),
    energies=(
        Energy(
            "chip",
            "a paper",
            "the rest",
            {"synaptic operations": (1e-9, 1e-9), "neuron updates": (2e-9, 3e-9)},
            4e-9,
            0.2,
        ),
    ),
    sample=Sample(
        "1", "0", ("0", "1"), (SpikeRaster("in", 4, 4, (0, 1), (3, 2)),), ((0.0, 2.0), (0.0, 1.0))
    ),
    verification=VerificationReport(
        "ab" * 32,
        "cd" * 32,
        2,
        3,
        "reference",
        (
            EngineResult("cpu", 10, 5),
            EngineResult("onnx", 10, 5, Divergence("onnx", 1, 2, "out", 3, "spike", 0, 1)),
            EngineResult("lava", failure="EngineError: <hung>"),
        ),
        {"numpy": "2.3.5"},
    ),
    neurobench={"Footprint": 40, "SynapticOperations": {"Dense": 80.0}},
    provenance={"recipe": "<script>alert(1)</script>"},
)
TIMING = Timing("Small chip, measured once", "a paper", "io", 1, *((1e-3, 2e-3),) * 4, "assumed")
CORE = CoreLoad(0, 0, 0, 0, 0.5, "neurons", 1e-6, ("out",))
PLACED = Placement("Small chip", min_cores=1, chips=1, cores=(CORE,) * 2, timings=(TIMING,))
ENERGY = Energy(
    "Small chip, a list",
    "a paper",
    "the rest",
    {"messages": (1e-9, 2e-9)},
    0,
    0,
    certainty="derived",
)
OTHER_ENERGY = replace(ENERGY, model="Small chip, another list", joules={"messages": (5e-9, 5e-9)})
