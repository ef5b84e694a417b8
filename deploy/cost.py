"""What counted work would cost: price lists, each with its source and what it leaves out."""

from dataclasses import dataclass

from ..runtime.counts import Counts
from ..runtime.report import Energy

PICO = 1e-12
MULTIPLY_ACCUMULATE = 4.6  # pJ at 45 nm and 32-bit floating point: 3.7 the product, 0.9 the sum


@dataclass(frozen=True)
class EnergyModel:
    """Energies in pJ: of a synaptic operation, and of a neuron update from idle to active."""

    name: str
    source: str
    excludes: str
    synaptic_operation: float
    neuron_update: tuple[float, float]


LOIHI_1 = EnergyModel(
    name="Loihi 1, before silicon",
    source=(
        "M. Davies et al., Loihi: a neuromorphic manycore processor with on-chip learning, IEEE "
        "Micro 38(1), 2018, table 2: 23.6 pJ a synaptic operation (at least), 52 pJ an idle and "
        "81 pJ an active neuron update; simulated at 0.75 V, not measured"
    ),
    excludes="static power, spikes on their way between cores, the host; not measured",
    synaptic_operation=23.6,
    neuron_update=(52.0, 81.0),
)
CMOS_45NM = EnergyModel(
    name="CMOS at 45 nm",
    source=(
        "M. Horowitz, Computing's energy problem (and what we can do about it), ISSCC 2014: 0.9 pJ "
        "a 32-bit floating-point addition, 4.6 pJ a multiplication and addition"
    ),
    excludes="static power, memory accesses, neuron updates; not measured",
    synaptic_operation=0.9,
    neuron_update=(0.0, 0.0),
)
ENERGY_MODELS = (LOIHI_1, CMOS_45NM)


def energy(model: EnergyModel, counts: Counts) -> Energy:
    """Return what one inference costs by `model`, in joules, as a mean over the samples.

    How many neuron updates are active depends on the chip, so they have a least (all idle) and a
    most (all active).
    """
    operations = float(counts.total_operations.mean()) * model.synaptic_operation * PICO
    least, most = (counts.total_updates * price * PICO for price in model.neuron_update)
    return Energy(
        model=model.name,
        source=model.source,
        excludes=model.excludes,
        joules={"synaptic operations": (operations, operations), "neuron updates": (least, most)},
        artificial=counts.connections * MULTIPLY_ACCUMULATE * PICO,
        break_even=MULTIPLY_ACCUMULATE / model.synaptic_operation,
    )
