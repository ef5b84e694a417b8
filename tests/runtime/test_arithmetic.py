"""Hand-worked numbers, and six cases from a run of Lava 0.10.0 (`fixed_pt`, Dense, LIF).

Lava's Dense sends what it received one step before, so its first activation is 0.
"""

from typing import Any, NamedTuple

import numpy as np
import pytest

from pumice.runtime import Population
from pumice.runtime.arithmetic import apply_decay, lif_step, neuron_step, shift, wrap_to_24_bits

HIGHEST = 2**23 - 1


class Course(NamedTuple):
    current: list[int]
    voltage: list[int]
    spikes: list[int]


def course(activations: list[int], current: int = 0, voltage: int = 0, **values: Any) -> Course:
    """Run one neuron from a state; return its states and the steps in which it fires."""
    population = Population("neuron", (1,), **values)
    states = tuple(np.array([[x]]) for x in (current, voltage, 0))[: len(population.states)]
    result = Course([], [], [])
    for now, activation in enumerate(activations):
        states, spikes = neuron_step(population, states, np.array([[activation]]))
        result.current.append(int(states[0][0, 0]))
        result.voltage.append(int(states[1][0, 0]))
        result.spikes.extend([now] * int(spikes[0, 0]))
    return result


def test_lava_case_a_decays_fires_and_keeps_the_current() -> None:
    arriving = [0, 100, 0, 100, 100, 0, 0, 0]
    result = course(arriving, current_decay=1024, voltage_decay=128, threshold=300)
    assert result.current == [0, 6400, 4800, 10000, 13900, 10425, 7818, 5863]
    assert result.voltage == [0, 6400, 11000, 0, 13900, 0, 7818, 13436]
    assert result.spikes == [3, 5]


def test_lava_case_b_rounds_negative_states_towards_zero() -> None:
    arriving = [0, -2, 0, 0, 0, 0]
    result = course(arriving, current_decay=1024, voltage_decay=1024)
    assert result.current == [0, -128, -96, -72, -54, -40]
    assert result.voltage == [0, -128, -192, -216, -216, -202]
    assert result.spikes == []


def test_lava_case_c_adds_the_bias_to_the_voltage_from_the_first_step() -> None:
    result = course([0] * 6, voltage_decay=2048, bias=40, bias_exponent=6, threshold=100)
    assert result.current == [0] * 6
    assert result.voltage == [2560, 3840, 4480, 4800, 4960, 5040]


@pytest.mark.parametrize(
    ("weight", "voltage", "spikes"), [(98, 6272, []), (100, 6400, []), (102, 0, [1, 2, 4])]
)
def test_lava_case_d_fires_above_the_threshold_and_not_at_it(
    weight: int, voltage: int, spikes: list[int]
) -> None:
    arriving = [0, weight, weight, 0, weight, 0]
    result = course(arriving, current_decay=4096, voltage_decay=4096, threshold=100)
    assert result.current == [64 * a for a in arriving]
    assert result.voltage == [0, voltage, voltage, 0, voltage, 0]
    assert result.spikes == spikes


def test_lava_case_e_wraps_the_current_once() -> None:
    arriving = [0] + [520 * 254] * 5
    result = course(arriving, current_decay=0, voltage_decay=4096, threshold=131071)
    assert result.current == [0, -8324096, 129024, -8195072, 258048, -8066048]
    assert result.voltage == result.current


def test_lava_case_f_holds_the_voltage_at_its_lowest() -> None:
    result = course([0] + [500 * -255] * 3, current_decay=4096, voltage_decay=0)
    assert result.current == [0, -8160000, -8160000, -8160000]
    assert result.voltage == [0, -8160000, -HIGHEST, -HIGHEST]


@pytest.mark.parametrize(("voltage", "fires"), [(6399, False), (6400, False), (6401, True)])
def test_equality_does_not_fire_and_one_64th_above_does(voltage: int, fires: bool) -> None:
    result = course([0], voltage=voltage, threshold=100)
    assert result.spikes == [0] * fires
    assert result.voltage == [0 if fires else voltage]


# 4097 = 17 * 241 and 4095 are odd: no power of two hides the rounding.
@pytest.mark.parametrize(
    ("state", "decay", "left"),
    [
        (4097, 4095, 1),
        (-4097, 4095, -1),
        (4095, 4095, 0),
        (-4095, 4095, 0),
        (8191, 4095, 1),
        (-8191, 4095, -1),
        (1001, 1, 1000),  # 1001 * 4095 / 4096 = 1000.76
        (-1001, 1, -1000),
        (3, 1365, 2),  # 3 * 2731 / 4096 = 2.0002
        (-3, 1365, -2),
        (3, 1366, 1),  # 3 * 2730 / 4096 = 1.9995
        (-3, 1366, -1),
        (HIGHEST, 1, 8386559),  # 8388607 * 4095 = 4096 * 8386559 + 1
        (-HIGHEST, 1, -8386559),
        (12345, 0, 12345),
        (-12345, 0, -12345),
        (HIGHEST, 4096, 0),
        (-HIGHEST, 4096, 0),
    ],
)
def test_decay_rounds_towards_zero(state: int, decay: int, left: int) -> None:
    assert apply_decay(np.array([state]), np.array(decay, np.int32)).tolist() == [left]


@pytest.mark.parametrize(
    ("current", "brought"),
    [
        (2**23, 2**23),
        (2**23 + 1, 1 - 2**23),
        (-(2**23) + 1, -(2**23) + 1),
        (-(2**23), 2**23),
        (2**24, 0),
        (-(2**24), 0),
        (2**23 + 2**24, 2**23),
        (2**23 + 2**24 + 1, 2**23 + 1),  # once only: it stays outside
        (15734784 + 2**24, 15734784),  # 2,000 inputs of 254, as Lava leaves them
    ],
)
def test_a_current_wraps_once(current: int, brought: int) -> None:
    assert wrap_to_24_bits(np.array([current])).tolist() == [brought]


@pytest.mark.parametrize(
    ("activation", "exponent", "scaled"),
    [(4, 3, 32), (-4, 3, -32), (4, -1, 2), (5, -1, 2), (-5, -1, -3), (-1, -8, -1), (7, 0, 7)],
)
def test_a_negative_weight_exponent_rounds_down(
    activation: int, exponent: int, scaled: int
) -> None:
    assert shift(np.array([activation]), exponent).tolist() == [scaled]


def test_the_voltage_saturates_at_both_ends() -> None:
    high = course([131000] * 2, current_decay=4096, kind="integrator")
    low = course([-131000] * 2, current_decay=4096)
    assert high.voltage == [8384000, HIGHEST]
    assert low.voltage == [-8384000, -HIGHEST]


def test_the_highest_threshold_can_still_be_crossed() -> None:
    """2^23 - 1 is above the highest threshold, 131071 * 64 = 2^23 - 64."""
    result = course([131072], current_decay=4096, threshold=131071)
    assert result.current == [2**23]
    assert result.spikes == [0]


def test_an_integrator_never_fires_even_at_the_end_of_its_range() -> None:
    result = course([0, 0], voltage=HIGHEST, kind="integrator")
    assert result.voltage == [HIGHEST, HIGHEST]
    assert result.spikes == []


@pytest.mark.parametrize(
    ("bias", "exponent", "voltage"),
    [(-3, 0, -3), (-3, 6, -192), (4095, 7, 524160), (-4096, 7, -524288)],
)
def test_the_bias_is_shifted_by_its_own_exponent(bias: int, exponent: int, voltage: int) -> None:
    result = course([0], bias=bias, bias_exponent=exponent, threshold=131071)
    assert result.voltage == [voltage]


def test_a_spike_does_not_reset_the_current() -> None:
    """A current of 64 * 40 is halved each step, so it fires until it is at the threshold."""
    result = course([40, 0, 0, 0], current_decay=2048, voltage_decay=4096, threshold=10)
    assert result.current == [2560, 1280, 640, 320]
    assert result.voltage == [0, 0, 640, 320]
    assert result.spikes == [0, 1]


def test_each_neuron_uses_its_own_parameters() -> None:
    population = Population("two", (2, 1, 1), threshold=[1, 2], current_decay=4096, bias=[2, 2])
    zeros = np.zeros((1, 2, 1, 1), np.int64)
    _, voltage, spikes = lif_step(population, zeros, zeros, zeros)
    assert spikes.ravel().tolist() == [1, 0]
    assert voltage.ravel().tolist() == [0, 128]


def test_a_graded_spike_carries_its_voltage_in_weight_units_within_its_bits() -> None:
    """Voltage 64 * a; threshold 2: 2 stays, 3 and 5 are sent, 40 is cut to 15; bias alone is 1."""
    sent = Population("adder", (1,), voltage_decay=4096, threshold=2, value_bits=4)
    still = np.zeros((1, 1), np.int64)
    result = [
        int(lif_step(sent, still, still, np.array([[a]]))[2][0, 0]) for a in (2, 3, 5, 40, -9)
    ]
    assert result == [0, 3, 5, 15, 0]
    pushed = Population("pushed", (1,), voltage_decay=4096, bias=9, bias_exponent=0, value_bits=4)
    assert int(lif_step(pushed, still, still, still)[2][0, 0]) == 1


RESETS: dict[str, Any] = {"current_decay": 4096, "voltage_decay": 2048, "threshold": 100}


def test_soft_reset_subtracts_in_the_same_step() -> None:
    # 250 * 64 = 16000; 16000 - 6400 = 9600; 9600 / 2 = 4800, no spike; 2400 + 7040 = 9440 - 6400
    result = course([250, 0, 110, 0], reset="subtract", reset_value=100, **RESETS)
    assert result.voltage == [9600, 4800, 3040, 1520]
    assert result.spikes == [0, 2]


def test_delayed_soft_reset_subtracts_after_the_decay_of_the_next_step() -> None:
    # 16000 fires; 8000 - 6400 = 1600; 800 + 7040 = 7840 fires; 3920 - 6400 = -2480
    result = course([250, 0, 110, 0], reset="delayed_subtract", reset_value=100, **RESETS)
    assert result.voltage == [16000, 1600, 7840, -2480]
    assert result.spikes == [0, 2]


def test_delayed_soft_reset_fires_in_a_row_while_the_voltage_stays_above() -> None:
    # 40000; 20000 - 6400 = 13600; 6800 - 6400 = 400
    result = course([625, 0, 0], reset="delayed_subtract", reset_value=100, **RESETS)
    assert result.voltage == [40000, 13600, 400]
    assert result.spikes == [0, 1]


def test_reset_to_a_value_of_either_sign() -> None:
    # -25 * 64 = -1600, half of which is -800
    low = course([101, 0, 0], reset="value", reset_value=-25, **RESETS)
    assert low.voltage == [-1600, -800, -400]
    high = course([101, 0, 0], reset="value", reset_value=25, **RESETS)
    assert high.voltage == [1600, 800, 400]


def test_soft_reset_of_a_saturated_voltage_starts_from_the_limit() -> None:
    neuron: dict[str, Any] = {"threshold": 131071, "reset": "subtract", "reset_value": 131071}
    result = course([131071, 131071], voltage=HIGHEST, **neuron)
    assert result.voltage == [HIGHEST - 131071 * 64, 63 + 131071 * 64 - 131071 * 64]
    assert result.spikes == [0, 1]


@pytest.mark.parametrize(
    ("voltage", "sent", "left"),
    [
        (6400, 0, 6400),  # at the threshold
        (6401, 1, 1),
        (12800, 1, 6400),  # at twice the threshold: the second is not passed
        (12801, 2, 1),
        (19201, 3, 1),
        (99999, 3, 80799),  # 3 at most
        (-6401, 0, -6401),
    ],
)
def test_several_spikes_in_one_step(voltage: int, sent: int, left: int) -> None:
    neuron = Population(
        "neuron", (1,), threshold=100, reset="subtract", reset_value=100, max_spikes=3
    )
    assert neuron.value_bits == 2
    state = np.array([[voltage]])
    _, after, values = lif_step(neuron, np.zeros_like(state), state, np.array([[0]]))
    assert (int(values[0, 0]), int(after[0, 0])) == (sent, left)


@pytest.mark.parametrize(("above", "expected"), [(0, 0), (1, 1), (6400, 1), (6401, 2), (12800, 2)])
def test_several_spikes_with_a_threshold_below_what_each_subtracts(
    above: int, expected: int
) -> None:
    neuron = Population(
        "neuron", (1,), threshold=87, reset="subtract", reset_value=100, max_spikes=15
    )
    state = np.array([[87 * 64 + above]])
    _, after, values = lif_step(neuron, np.zeros_like(state), state, np.array([[0]]))
    assert (int(values[0, 0]), int(after[0, 0])) == (expected, 5568 + above - 6400 * expected)


def test_refractory_period_holds_the_voltage_and_lets_the_current_go_on() -> None:
    # u: 12800, 6400, 3200, 1600, 14400; v: fires at 0, held for 2 steps, then 1600, fires at 4
    result = course(
        [200, 0, 0, 0, 213], current_decay=2048, voltage_decay=0, threshold=100, refractory=2
    )
    assert result.current == [12800, 6400, 3200, 1600, 14432]
    assert result.voltage == [0, 0, 0, 1600, 0]
    assert result.spikes == [0, 4]


def test_refractory_period_holds_what_a_soft_reset_leaves() -> None:
    # 16000 - 6400 = 9600 is above the threshold, but held for one step
    result = course(
        [250, 0, 0],
        reset="subtract",
        reset_value=100,
        refractory=1,
        **RESETS | {"voltage_decay": 0},
    )
    assert result.voltage == [9600, 9600, 3200]
    assert result.spikes == [0, 2]


def test_minimum_voltage_bounds_from_below() -> None:
    result = course([-200, 0, 50], min_voltage=-100, **RESETS)
    assert result.voltage == [-6400, -3200, 1600]
    lowest = course([-131071, -131071], min_voltage=-131072, **RESETS)
    assert lowest.voltage == [-131071 * 64, -HIGHEST]


class Changes(NamedTuple):
    sigma: list[int]
    sent: list[int]
    messages: list[int]


def changes(activations: list[int], kind: str, **values: Any) -> Changes:
    """Run one delta or sigma-delta neuron from zero."""
    population = Population("neuron", (1,), kind, **values)  # type: ignore[arg-type]
    states: tuple[Any, ...] = (np.array([[0]]), np.array([[0]]))
    result = Changes([], [], [])
    for activation in activations:
        states, messages = neuron_step(population, states, np.array([[activation]]))
        assert messages.dtype == np.int32
        for record, value in zip(result, (*states, messages), strict=True):
            record.append(int(value[0, 0]))
    return result


# Each course has also run in Lava's own model: `test_lava_has_the_hand_worked_courses`.
SIGMA_DELTA_COURSES: dict[str, tuple[list[int], str, dict[str, Any], Changes]] = {
    # threshold 3 << 12 = 12288, bias 1 << 12 = 4096. act: 22656 is sent whole: 22656 >> 6 = 354.
    # 10656 differs by 12000, is not sent; 10356 by 12300: -12300 >> 6 = -193, rounded down. Sigma
    # of -13740 gives act 0, -10356 from what was sent; 1 more changes nothing.
    "relu, bias, error feedback": (
        [18560, -12000, -300, -20000, 1],
        "sigma_delta",
        {"threshold": 3, "bias": 1},
        Changes(
            [18560, 6560, 6260, -13740, -13739],
            [22656, 22656, 10356, 10356, 10356],
            [354, 0, -193, 0, 0],
        ),
    ),
    # Exactly the threshold is sent; without a threshold everything is, and small changes are lost:
    # 63 >> 6 = 0, -1 >> 6 = -1.
    "equality": (
        [12288, 12287, -12287],
        "sigma_delta",
        {"threshold": 3},
        Changes([12288, 24575, 12288], [12288, 12288, 12288], [192, 0, 0]),
    ),
    "no threshold": (
        [63, -1, 0, -62],
        "sigma_delta",
        {},
        Changes([63, 62, 62, 0], [63, 62, 62, 0], [0, -1, 0, -1]),
    ),
    # A delta encoder: act = a << 12, so 5 is 20480 and its message 320; the change of 1 is below
    # the threshold of 2, that of -7 from 5 is -28672 >> 6 = -448.
    "delta": (
        [5, 6, -2, -3],
        "delta",
        {"threshold": 2},
        Changes([20480, 24576, -8192, -12288], [20480, 20480, -8192, -8192], [320, 0, -448, 0]),
    ),
}


@pytest.mark.parametrize("name", SIGMA_DELTA_COURSES)
def test_sigma_delta_sends_changes_beyond_the_threshold(name: str) -> None:
    activations, kind, values, expected = SIGMA_DELTA_COURSES[name]
    assert changes(activations, kind, **values) == expected


def test_sums_of_sigma_delta_wrap_at_24_bits() -> None:
    result = changes([HIGHEST, 1, 2**24 + 5], "sigma_delta", bias=4095, bias_exponent=7)
    assert result.sigma == [HIGHEST, -(2**23), 5 - 2**23]
    assert result.sent == [HIGHEST + (4095 << 13), (4095 << 13) - 2**23, (4095 << 13) + 5 - 2**23]
    assert result.messages == [655231, -262144, 0]
    read_out = course([2**23, -5, HIGHEST], kind="integrator", align_bits=0)
    assert read_out.current == [2**23, -5, HIGHEST]
    assert read_out.voltage == [HIGHEST, HIGHEST - 5, HIGHEST]


@pytest.mark.lava
@pytest.mark.parametrize("name", SIGMA_DELTA_COURSES)
def test_lava_has_the_hand_worked_courses(name: str) -> None:
    from pumice.runtime.lava_compat import patch_lava

    patch_lava()
    from lava.proc.sdn.models import PyDeltaModelFixed, PySigmaDeltaModelFixed
    from lava.proc.sdn.process import ActivationMode

    activations, kind, values, expected = SIGMA_DELTA_COURSES[name]
    model: Any = object.__new__(PyDeltaModelFixed if kind == "delta" else PySigmaDeltaModelFixed)
    model.act_mode, model.cum_error = ActivationMode.RELU, False
    model.spike_exp, model.state_exp = 6, 6
    for state in ("sigma", "act", "residue", "error"):
        setattr(model, state, np.zeros(1, np.int32))
    model.vth, model.bias = (values.get(key, 0) << 12 for key in ("threshold", "bias"))
    arriving, sent = iter(activations), []

    class Port:
        def recv(self) -> Any:
            return np.array([next(arriving)], np.int32)

        def send(self, messages: Any) -> None:
            sent.append(int(messages[0]))

    model.a_in = model.s_out = Port()
    for sum_, reference in zip(expected.sigma, expected.sent, strict=True):
        model.run_spk()
        assert (model.act - model.residue).item() == reference
        assert kind == "delta" or model.sigma.item() == sum_
    assert sent == expected.messages


class Adapting(NamedTuple):
    voltage: list[int]
    raised: list[int]
    refractory: list[int]
    spikes: list[int]


# Decays keep one half of the raise and three quarters of the refractory value, rounded down.
ADAPTIVE: dict[str, Any] = {"threshold_step": 1, "threshold_decay": 2048, "refractory_decay": 1024}
ADAPTIVE_COURSES: dict[str, tuple[list[int], dict[str, Any], Adapting]] = {
    # 192 reaches 128: the raise is 64, the refractory value 2 * 128. They decay until step 5, where
    # 128 + 2 + 60 (of 81 * 3 / 4 = 60.75) is 190; then 2 + 64 and 60 + 2 * 130.
    "a held voltage": (
        [3, 0, 0, 0, 0, 0],
        {"voltage_decay": 0, "threshold": 2},
        Adapting([192] * 6, [64, 32, 16, 8, 4, 66], [256, 192, 144, 108, 81, 320], [0, 5]),
    ),
    # 192 is the threshold of 3 and fires. At step 2, 448 passes 192 + 16 and 216, which is 424.
    "equality": (
        [3, 0, 7],
        {"voltage_decay": 4096, "threshold": 3},
        Adapting([192, 0, 448], [64, 32, 80], [384, 288, 632], [0, 2]),
    ),
    # 128000 passes 64 + 32 and 96.
    "strong input": (
        [1000, 1000],
        {"voltage_decay": 0, "threshold": 1, "current_decay": 4096},
        Adapting([64000, 128000], [64, 96], [128, 288], [0, 1]),
    ),
}


@pytest.mark.parametrize("name", ADAPTIVE_COURSES)
def test_a_threshold_adapts(name: str) -> None:
    activations, values, expected = ADAPTIVE_COURSES[name]
    neuron = Population("neuron", (1,), reset="adaptive", **values, **ADAPTIVE)
    states = tuple(np.array([[0]]) for _ in neuron.states)
    found = Adapting([], [], [], [])
    for now, activation in enumerate(activations):
        states, spikes = neuron_step(neuron, states, np.array([[activation]]))
        for course_, state in zip(found[:3], states[1:], strict=True):
            course_.append(int(state[0, 0]))
        found.spikes.extend([now] * int(spikes[0, 0]))
    assert found == expected


@pytest.mark.lava
@pytest.mark.parametrize("name", ADAPTIVE_COURSES)
def test_lavas_adaptive_neuron_has_the_hand_worked_courses(name: str) -> None:
    """Lava's `ATRLIF` takes decays as fractions, and adds 1 to that of the current."""
    from pumice.runtime.lava_compat import patch_lava

    patch_lava()
    from lava.proc.atrlif.models import PyATRLIFModelFixed

    activations, values, expected = ADAPTIVE_COURSES[name]
    model: Any = PyATRLIFModelFixed({})
    for state in ("i", "v", "r"):
        setattr(model, state, np.zeros(1, np.int64))
    model.s, model.theta = np.zeros(1, bool), np.zeros(1, np.int64)
    model.bias_mant = model.bias_exp = np.zeros(1, np.int16)
    model.theta_0, model.theta_step = values["threshold"], ADAPTIVE["threshold_step"]
    model.delta_i, model.delta_v = 4095 / 4096, values["voltage_decay"] / 4096
    model.delta_theta = ADAPTIVE["threshold_decay"] / 4096
    model.delta_r = ADAPTIVE["refractory_decay"] / 4096
    arriving, sent = iter(activations), []

    class Port:
        def recv(self) -> Any:
            return np.array([next(arriving)], np.int64)

        def send(self, spikes: Any) -> None:
            sent.append(bool(spikes[0]))

    model.a_in = model.s_out = Port()
    for voltage, raised, refractory in zip(*expected[:3], strict=True):
        model.run_spk()
        level = model.theta.item() - (values["threshold"] << 6)
        assert (model.v.item(), level, model.r.item()) == (voltage, raised, refractory)
    assert [now for now, spike in enumerate(sent) if spike] == expected.spikes


class Resonance(NamedTuple):
    real: list[int]
    imag: list[int]
    spikes: list[int]


# Decays keep three quarters along the phase, and turn one half: 3072 and 2048 of 4096.
TURN: dict[str, Any] = {"sin_decay": 2048, "cos_decay": 3072}
NO_TURN: dict[str, Any] = {"sin_decay": 0, "cos_decay": 0}
FULL_TURN: dict[str, Any] = {"sin_decay": 4095, "cos_decay": 4095}
# Each course has also run in Lava's own model: `test_lavas_resonators_have_the_courses`.
RESONATOR_COURSES: dict[str, tuple[str, list[tuple[int, int]], dict[str, Any], Resonance]] = {
    # -192 turns: real 0 + 96, imag 0 - 144; then 72 + 72 and 48 - 108; then 108 + 30 and 72 - 45,
    # where imag passes 0 at a real of 138: a spike, which resets nothing. 103 (of 103.5) - 13 (of
    # 13.5), 69 + 20 (of 20.25). Negative products round towards zero: -222.75 to -222 less 55 (of
    # 55.5), -148.5 to -148 plus 83.
    "a phase of zero": (
        "rf",
        [(0, -3), (0, 0), (0, 0), (0, 0), (0, 0), (-5, 0), (0, 0)],
        {"threshold": 1, **TURN},
        Resonance([0, 96, 144, 138, 90, -297, -277], [-192, -144, -60, 27, 89, 111, -65], [3]),
    ),
    # A real of 128 is the threshold and an imag of 0 has passed: a spike. From 0, imag has not.
    # 64 is below the threshold.
    "equality": (
        "rf",
        [(0, -1), (2, 0), (2, 0), (1, -1), (1, 0)],
        {"threshold": 2, **NO_TURN},
        Resonance([0, 128, 128, 64, 64], [-64, 0, 0, -64, 0], [1]),
    ),
    # HIGHEST * 4095 / 4096 is 8386559.0002: twice that saturates, and its difference is 0.
    "saturation": (
        "rf",
        [(HIGHEST, -HIGHEST), (0, 0), (-HIGHEST, -HIGHEST)],
        {"threshold": 131071, **FULL_TURN},
        Resonance([HIGHEST, HIGHEST, -HIGHEST], [-HIGHEST, 0, -HIGHEST], [1]),
    ),
    # 96 + 64 passes 128: real becomes 0, imag 127. -63 (of -63.5) and 95 (of 95.25); -47 (of
    # -47.25) - 47 (of 47.5), -31 (of -31.5) + 71 (of 71.25) + 64.
    "Izhikevich": (
        "rf_iz",
        [(3, 0), (0, 1), (0, 0), (0, 1), (1, 1)],
        {"threshold": 2, **TURN},
        Resonance([192, 0, -63, -94, -58], [0, 127, 95, 104, 95], [1]),
    ),
    "Izhikevich, equality": (
        "rf_iz",
        [(1, 2), (0, 0), (-1, -3)],
        {"threshold": 2, **NO_TURN},
        Resonance([0, 0, -64], [127, 0, -192], [0]),
    ),
    # 8388543 * 4095 / 4096 is 8386495.02.
    "Izhikevich, saturation": (
        "rf_iz",
        [(HIGHEST, -HIGHEST), (0, HIGHEST), (0, 0)],
        {"threshold": 131071, **FULL_TURN},
        Resonance([HIGHEST, 0, -8386495], [-HIGHEST, 8388543, 8386495], [1]),
    ),
}


@pytest.mark.parametrize("name", RESONATOR_COURSES)
def test_resonators_turn_and_fire(name: str) -> None:
    kind, activations, values, expected = RESONATOR_COURSES[name]
    neuron = Population("neuron", (1,), kind, **values)  # type: ignore[arg-type]
    states: tuple[Any, ...] = (np.array([[0]]), np.array([[0]]))
    found = Resonance([], [], [])
    for now, activation in enumerate(activations):
        states, spikes = neuron_step(neuron, states, np.array(activation).reshape(2, 1, 1))
        assert spikes.dtype == np.uint8
        found.real.append(int(states[0][0, 0]))
        found.imag.append(int(states[1][0, 0]))
        found.spikes.extend([now] * int(spikes[0, 0]))
    assert found == expected


@pytest.mark.lava
@pytest.mark.parametrize("name", RESONATOR_COURSES)
def test_lavas_resonators_have_the_courses(name: str) -> None:
    from pumice.runtime.lava_compat import patch_lava

    patch_lava()
    from lava.proc.rf.models import PyRFModelFixed
    from lava.proc.rf_iz.models import PyRF_IZModelFixed

    kind, activations, values, expected = RESONATOR_COURSES[name]
    model: Any = (PyRFModelFixed if kind == "rf" else PyRF_IZModelFixed)({})
    model.real, model.imag = np.zeros(1, np.int32), np.zeros(1, np.int32)
    model.sin_decay, model.cos_decay = values["sin_decay"], values["cos_decay"]
    model.state_exp, model.decay_bits = 6, 12
    model.vth = values["threshold"] << 6
    sent: list[bool] = []

    class Port:
        def __init__(self, part: int) -> None:
            self.arriving = iter([each[part] for each in activations])

        def recv(self) -> Any:
            return np.array([next(self.arriving)], np.int32)

        def send(self, spikes: Any) -> None:
            sent.append(bool(spikes[0]))

    model.a_real_in, model.a_imag_in = Port(0), Port(1)
    model.s_out = model.a_real_in
    for real, imag in zip(expected.real, expected.imag, strict=True):
        model.run_spk()
        assert (model.real.item(), model.imag.item()) == (real, imag)
    assert [now for now, spike in enumerate(sent) if spike] == expected.spikes
