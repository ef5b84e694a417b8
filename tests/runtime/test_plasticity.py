"""On-chip STDP: hand-worked numbers, and the CPU engine against the reference."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pumice.runtime import Network, Population, Projection, Sparse
from pumice.runtime.engines.cpu.learning import learn as learn_fast
from pumice.runtime.errors import NetworkError
from pumice.runtime.plasticity import PlasticityRule, apply_stdp, learn, next_random

KEPT = (3000, 3900)


def pair(
    weight: int, tags: tuple[int, int] = (32, 0), **constants: int
) -> tuple[Sparse, PlasticityRule]:
    """One synapse and its rule."""
    rule = PlasticityRule(KEPT, KEPT, np.array(tags)[:, None], **constants)
    return Sparse(np.array([weight]), np.array([0]), np.array([0]), (1, 1)), rule


@pytest.mark.parametrize(
    ("weight", "before", "after", "r", "expected"),
    [
        (100, 0, 1, 0, 102),  # 32 * 64 * 155 >> 14 = 19, << 4 = 304; (12800 + 304) >> 7 = 102.4
        (100, 1, 0, 0, 98),  # -32 * 64 * 100 >> 14 = -13, << 4 = -208; (12800 - 208) >> 7 = 98.4
        (100, 1, 0, 127, 99),
        (255, 0, 1, 127, 255),
        (100, 0, 0, 127, 100),
    ],
)
def test_a_step_changes_a_weight_as_worked_by_hand(
    weight: int, before: int, after: int, r: int, expected: int
) -> None:
    synapse, rule = pair(weight)
    traces = np.full((2, 1), 64), np.full((2, 1), 64)
    actual = apply_stdp(synapse, rule, traces, np.array([before]), np.array([after]), r)
    assert actual.tolist() == [expected]


def test_the_generator_gives_numbers_worked_by_hand() -> None:
    """1664525 + 1013904223 = 1015568748 = 0x3C88596C: r = 0x3C8, r' = 0x3C88596C >> 13 & 0x7F."""
    assert next_random(1) == (0x3C88596C, 0x3C8, 0x42)


@pytest.fixture(scope="module")
def recurrent() -> tuple[Network, PlasticityRule, np.ndarray]:
    """A network that excites itself sparsely, and what it is shown."""
    random = np.random.default_rng(0)
    chosen = random.random((20, 20)) < 0.3
    rows, columns = np.nonzero(chosen)
    weights = random.integers(20, 200, rows.size)
    populations = (
        Population("input", (12,), "input"),
        Population("neurons", (20,), voltage_decay=random.integers(200, 2000, 20), threshold=600),
    )
    forth = Sparse(random.integers(0, 255, 240), *np.divmod(np.arange(240), 12), (20, 12))
    network = Network(
        populations,
        (
            Projection("forth", "input", "neurons", forth),
            Projection(
                "back", "neurons", "neurons", Sparse(weights, rows, columns, (20, 20)), 1, delay=1
            ),
        ),
    )
    rule = PlasticityRule(KEPT, (2500, 3950), random.integers(0, 64, (2, rows.size)), depression=2)
    events = (random.random((40, 3, 12)) < 0.3).astype(np.uint8)
    return network, rule, events


def weights(network: Network) -> NDArray[Any]:
    """Learned weights of the feedback projection."""
    connection = network.projections[1].connection
    assert isinstance(connection, Sparse)
    return connection.weights


def test_the_cpu_engine_learns_bit_for_bit_like_the_reference(
    recurrent: tuple[Network, PlasticityRule, np.ndarray],
) -> None:
    network, rule, events = recurrent
    expected = learn(network, {"back": rule}, events)
    assert learn_fast(network, {"back": rule}, events) == expected
    before, after = (weights(n) for n in (network, expected))
    assert (before != after).mean() > 0.5 and after.min() >= 0 and after.max() <= 255


def test_without_amplitude_weights_do_not_change(
    recurrent: tuple[Network, PlasticityRule, np.ndarray],
) -> None:
    network, rule, events = recurrent
    still = replace(rule, potentiation=0, depression=0)
    assert learn(network, {"back": still}, events) == network


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("bakc", {}, "no projection 'bakc'; there are forth, back"),
        ("forth", {}, "forth: is plastic, needs to be sparse with a delay of 1"),
        ("back", {"tags": np.zeros((2, 3))}, r"back: tags of shape \(2, 3\), needs"),
    ],
)
def test_a_rule_that_does_not_fit_is_rejected(
    recurrent: tuple[Network, PlasticityRule, np.ndarray],
    name: str,
    changes: dict[str, Any],
    message: str,
) -> None:
    network, rule, events = recurrent
    with pytest.raises(NetworkError, match=message):
        learn(network, {name: replace(rule, **changes)}, events)


def test_a_number_beyond_its_register_is_rejected() -> None:
    with pytest.raises(NetworkError, match="potentiation is 8, needs 0 to 7"):
        pair(1, potentiation=8)
