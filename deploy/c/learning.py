"""Plasticity in firmware: compile firmware that learns, run it, and read the learned weights."""

import tempfile
from dataclasses import replace
from pathlib import Path

from ...runtime import Network, Sparse
from ...runtime.errors import EngineError
from ...runtime.events import Events, validate_events
from ...runtime.plasticity import Spikes
from .build import TOOLCHAINS, build_firmware
from .engine import RECORD_SPIKES, record_run
from .plasticity_tables import Rules


def learn_in_firmware(
    network: Network, rules: Rules, events: Events, processor: str = "host"
) -> tuple[Network, Spikes]:
    """Learn on this machine or an emulated processor, as `plasticity.learn_and_record` does.

    Args:
        network: Network that learns.
        rules: Plasticity rule by name of the projection; at least one.
        events: uint8 (timesteps, samples, *input shape); samples follow one another.
        processor: "host", "cortex-m4", "cortex-m7" or "rv32imac".

    Returns:
        The network with the learned weights; and by population that spikes, uint8 (timesteps,
        samples, *shape).

    Raises:
        NetworkError: A rule does not fit.
        MissingPackage: A tool is not installed.
        EngineError: The events do not fit, or the program does not compile, fit or end.
    """
    if processor not in TOOLCHAINS:
        raise EngineError(f"no processor {processor!r}; there are {', '.join(TOOLCHAINS)}")
    if not rules:
        raise EngineError("learning: no plasticity rule; give one for a projection")
    validated = validate_events(network, events)
    with tempfile.TemporaryDirectory(prefix="pumice-") as folder:
        firmware = build_firmware(network, TOOLCHAINS[processor], Path(folder), rules=rules)
        recorded = record_run(network, firmware, validated, RECORD_SPIKES)
    assert firmware.tables.plasticity is not None
    learned = firmware.tables.plasticity.read_weights(recorded.plastic)
    spikes = {
        name: array.reshape(*array.shape[:2], *network.population(name).shape)
        for name, array in recorded.spikes.items()
    }
    projections = tuple(
        replace(p, connection=replace(p.connection, weights=learned[p.name]))
        if p.name in learned and isinstance(p.connection, Sparse)
        else p
        for p in network.projections
    )
    return replace(network, projections=projections), spikes
