import numpy as np
import pytest

from pumice.deploy.cost import CMOS_45NM, ENERGY_MODELS, LOIHI_1, EnergyModel, energy
from pumice.runtime.counts import Counts

# Two samples of 1,000 and 3,000 operations, 500 updates each, 800 connections.
COUNTS = Counts(
    timesteps=5,
    samples=2,
    events={"in": np.array([10, 30])},
    operations={"first": np.array([600, 1000]), "second": np.array([400, 2000])},
    updates={"hidden": 450, "out": 50},
    connections=800,
)


def test_loihi_1_by_hand() -> None:
    """2,000 * 23.6 pJ = 47.2 nJ; 500 * 52 pJ = 26 nJ, 500 * 81 pJ = 40.5 nJ."""
    told = energy(LOIHI_1, COUNTS)
    assert told.joules["synaptic operations"] == pytest.approx((47.2e-9, 47.2e-9))
    assert told.joules["neuron updates"] == pytest.approx((26e-9, 40.5e-9))
    assert told.total == pytest.approx((73.2e-9, 87.7e-9))
    assert told.break_even == pytest.approx(0.1949, abs=1e-4)


def test_cmos_by_hand() -> None:
    """2,000 * 0.9 pJ = 1.8 nJ against 800 * 4.6 pJ = 3.68 nJ."""
    told = energy(CMOS_45NM, COUNTS)
    assert told.total == pytest.approx((1.8e-9, 1.8e-9))
    assert told.artificial == pytest.approx(3.68e-9)
    assert told.break_even == pytest.approx(5.111, abs=1e-3)


@pytest.mark.parametrize("model", ENERGY_MODELS, ids=lambda model: model.name)
def test_every_price_list_names_its_source_and_says_static_power_is_left_out(
    model: EnergyModel,
) -> None:
    told = energy(model, COUNTS)
    assert told.source == model.source and f"{model.synaptic_operation} pJ" in told.source
    assert "static power" in told.excludes and "not measured" in told.excludes
