"""Firmware that learns: weights and spikes of the reference, on every processor."""

import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command import pumice
from firmware import skip_without_tools
from numpy.typing import NDArray

from pumice.deploy.c import export_firmware
from pumice.deploy.c.build import TOOLCHAINS, build_firmware
from pumice.deploy.c.footprint import measure_footprint
from pumice.deploy.c.learning import learn_in_firmware
from pumice.runtime import Dense, EarlyExit, Network, Population, Projection, Sparse
from pumice.runtime.engines.cpu.learning import learn as learn_on_cpu
from pumice.runtime.errors import EngineError, NetworkError, RecipeError
from pumice.runtime.plasticity import PlasticityRule, learn_and_record
from pumice.runtime.plasticity_file import read_rules

Rules = dict[str, PlasticityRule]
ENGINE_OF = {"host": "c", "cortex-m4": "cortex-m", "cortex-m7": "cortex-m7", "rv32imac": "riscv"}
COUNTS = {"host": 20, "cortex-m4": 3, "cortex-m7": 1, "rv32imac": 3}


def draw_sparse(rng: np.random.Generator, targets: int, sources: int, top: int) -> Sparse:
    there = rng.random((targets, sources)) < rng.choice([0.1, 0.4, 1.0])
    rows, columns = np.nonzero(there)
    return Sparse(rng.integers(0, top + 1, rows.size), rows, columns, (targets, sources))


def draw_rule(rng: np.random.Generator, synapses: int) -> PlasticityRule:
    kept = rng.integers(0, 4096, (2, 2))
    return PlasticityRule(
        tuple(kept[0].tolist()),
        tuple(kept[1].tolist()),
        rng.integers(0, int(rng.choice([8, 64, 256])), (2, synapses)),
        potentiation=int(rng.integers(0, 8)),
        depression=int(rng.integers(0, 8)),
        exponent=int(rng.integers(0, 10)),
        impulse=int(rng.integers(1, 128)),
        seed=int(rng.integers(0, 1 << 32)),
    )


def draw_run(seed: int) -> tuple[Network, Rules, NDArray[np.uint8]]:
    """A network of one or two layers, with feedback, a read-out, and one to three rules."""
    rng = np.random.default_rng(seed)
    shapes: list[tuple[int, ...]] = [(7,), (20,), (3, 2, 3), (2, 4, 2)]
    shape, inputs = (shapes[i] for i in rng.integers(0, 4, 2))
    neurons, sources = int(np.prod(shape)), int(np.prod(inputs))
    kinds: list[dict[str, Any]] = [{}, {"reset": "subtract", "reset_value": 300}, {"refractory": 2}]
    hidden = Population(
        "hidden",
        shape,
        current_decay=int(rng.choice([4096, 1500])),
        voltage_decay=rng.integers(0, 3000, shape),
        threshold=int(rng.choice([60, 400, 1500])),
        **kinds[rng.integers(0, 3)],
    )
    top = int(rng.choice([15, 120, 255]))
    projections = [
        Projection("forth", "in", "hidden", draw_sparse(rng, neurons, sources, top), 0, 1),
        Projection("back", "hidden", "hidden", draw_sparse(rng, neurons, neurons, top), -1, 1),
        Projection("late", "in", "hidden", draw_sparse(rng, neurons, sources, top), 1, 3),
        Projection("read", "hidden", "out", Dense(rng.integers(0, 9, (3, neurons)))),
    ]
    populations = (Population("in", inputs, "input"), hidden, Population("out", (3,), "integrator"))
    network = Network(populations, tuple(projections))
    learns = [p for p in projections[:2] if rng.random() < 0.7] or projections[:1]
    rules = {p.name: draw_rule(rng, p.connection.weights.size) for p in learns}  # type: ignore[union-attr]
    events = (rng.random((15, 3, *inputs)) < rng.choice([0.1, 0.4])).astype(np.uint8)
    return network, rules, events


@pytest.mark.parametrize("processor", COUNTS)
def test_weights_and_spikes_equal_the_reference_and_the_cpu_engine(processor: str) -> None:
    skip_without_tools(ENGINE_OF[processor])
    changed = spiked = 0
    for seed in range(COUNTS[processor]):
        network, rules, events = draw_run(seed)
        expected, spikes = learn_and_record(network, rules, events)
        learned, sent = learn_in_firmware(network, rules, events, processor)
        assert learned == expected, seed
        assert learn_on_cpu(network, rules, events) == expected, seed
        assert set(sent) == {"hidden"}
        assert (sent["hidden"] == spikes["hidden"]).all(), seed
        changed += expected != network
        spiked += bool(spikes["hidden"].any())
    assert changed > COUNTS[processor] // 2 and spiked > COUNTS[processor] // 2


def learning_pair(**changes: Any) -> tuple[Network, Rules]:
    """Two neurons, and a synapse that learns; `changes` are of the target."""
    populations = (
        Population("in", (1,), "input"),
        Population("out", (1,), **{"threshold": 50, **changes}),
    )
    synapse = Sparse(np.array([100]), np.array([0]), np.array([0]), (1, 1))
    network = Network(populations, (Projection("p", "in", "out", synapse, 0, 1),))
    return network, {"p": PlasticityRule((3000, 3900), (3000, 3900), np.array([[32], [0]]))}


def test_a_weight_changes_as_worked_by_hand() -> None:
    """The source spikes at timestep 0 and the target, one timestep later, at 1."""
    skip_without_tools("c")
    network, rules = learning_pair()
    events = np.zeros((3, 1, 1), np.uint8)
    events[0] = 1
    learned, spikes = learn_in_firmware(network, rules, events)
    assert spikes["out"].reshape(-1).tolist() == [0, 1, 0]
    connection = learned.projections[0].connection
    assert isinstance(connection, Sparse)
    assert connection.weights.tolist() == [by_hand()]


def by_hand() -> int:
    """Weight of the pair after both spikes, step by step."""
    state, x, weight = 1, 0, 100
    for sent, received in ((1, 0), (0, 1), (0, 0)):
        state = (1664525 * state + 1013904223) % 2**32
        x = min(((x * 3000 + (state >> 20)) >> 12) + 16 * sent, 127)
        change = (32 * x * (255 - weight) >> 14 << 4) if received else 0
        if sent or received:
            weight = (weight * 128 + change + (state >> 13 & 127)) >> 7
    return weight


def test_memory_of_what_learns(tmp_path: Path) -> None:
    skip_without_tools("cortex-m")
    network, rules, _ = draw_run(1)
    fixed = measure_footprint(network, TOOLCHAINS["cortex-m4"])
    learns = measure_footprint(network, TOOLCHAINS["cortex-m4"], rules)
    tables = export_firmware(network, tmp_path, rules=rules)
    assert tables.plasticity is not None
    synapses = sum(rule.tags.shape[1] for rule in rules.values())
    assert tables.plasticity.sizes["weights"] == synapses
    assert tables.plasticity.buffer_bytes > synapses
    assert tables.buffer_bytes <= learns.buffers < tables.buffer_bytes + 64
    assert learns.buffers - fixed.buffers >= tables.plasticity.buffer_bytes
    assert f"#define PUMICE_PLASTIC_BYTES {synapses} " in (tmp_path / "pumice.h").read_text()
    subprocess.run(["make", "-s", "example"], cwd=tmp_path, check=True, timeout=60)
    assert "class" in subprocess.run([tmp_path / "example"], capture_output=True, text=True).stdout


def test_damaged_rules_are_found(tmp_path: Path) -> None:
    skip_without_tools("c")
    network, rules = learning_pair()
    firmware = build_firmware(network, TOOLCHAINS["host"], tmp_path, rules=rules)
    tables = tmp_path / "pumice_tables.c"
    source = tables.read_text()
    for old, new in (("3900}", "3901}"), ("tags[2] = {\n    32,", "tags[2] = {\n    33,")):
        assert old in source
        tables.write_text(source.replace(old, new, 1))
        objects = [str(path) for path in core_objects(firmware)]
        flags = ["-DPUMICE_TRACE=0", "-I", str(tmp_path), "-o", "check"]
        program = '#include "pumice_tables.c"\nint main(void) { return pumice_init() == -3; }\n'
        (tmp_path / "check.c").write_text(program)
        subprocess.run(["gcc", "check.c", *objects, *flags], cwd=tmp_path, check=True)
        assert subprocess.run([tmp_path / "check"]).returncode == 1


def core_objects(firmware: Any) -> list[Path]:
    from pumice.deploy.c.build import compile_core

    return compile_core(firmware.tables, firmware.toolchain, ("-DPUMICE_TRACE=0",))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"reset": "subtract", "reset_value": 9, "max_spikes": 3},
            "p: is plastic, but out sends no spikes of one bit",
        ),
        ({"kind": "integrator"}, "p: is plastic, but out sends no spikes of one bit"),
    ],
)
def test_what_does_not_spike_does_not_learn(
    changes: dict[str, Any], message: str, tmp_path: Path
) -> None:
    network, rules = learning_pair(**changes)
    with pytest.raises(NetworkError, match=message):
        network.to_c(tmp_path / "firmware", rules=rules)
    assert not (tmp_path / "firmware").exists()


def test_what_cannot_be_held_is_one_line(tmp_path: Path) -> None:
    network, rules = learning_pair()
    pair = Population("in", (1,), "input"), Population("out", (2,))
    zeros = np.zeros(2, np.int64)
    both = Sparse(zeros + 100, np.arange(2), zeros, (2, 1))
    stopping = Network(
        pair, (Projection("p", "in", "out", both, 0, 1),), early_exit=EarlyExit((5,))
    )
    two_tags = {"p": replace(rules["p"], tags=np.full((2, 2), 32))}
    with pytest.raises(NetworkError, match="the network stops early, but synapses learn at every"):
        stopping.to_c(tmp_path, rules=two_tags)
    with pytest.raises(NetworkError, match="no projection 'q'; there are p"):
        network.to_c(tmp_path, rules={"q": rules["p"]})
    many = 33_000  # synapses of one target: together they leave 24 bits when they have grown
    ones = np.ones(many, np.int64)
    connection = Sparse(ones, 0 * ones, np.arange(many), (1, many))
    grows = Network(
        (Population("in", (many,), "input"), Population("out", (1,))),
        (Projection("p", "in", "out", connection, 0, 1),),
    )
    rule = replace(rules["p"], tags=np.zeros((2, many), np.uint8))
    with pytest.raises(NetworkError, match=r"^p: its sum can reach 8415000, the accumulator holds"):
        grows.to_c(tmp_path, rules={"p": rule})
    with pytest.raises(EngineError, match="no plasticity rule"):
        learn_in_firmware(network, {}, np.ones((1, 1, 1), np.uint8))
    with pytest.raises(EngineError, match="no processor 'z80'; there are host, cortex-m4"):
        learn_in_firmware(network, rules, np.ones((1, 1, 1), np.uint8), "z80")


RULES = """[rules.p]
pre_decay_factors = [3000, 3900]
post_decay_factors = [3000, 3900]
tags = [[32], [0]]
"""


def test_rules_from_a_file(tmp_path: Path) -> None:
    network, rules = learning_pair()
    path = tmp_path / "rules.toml"
    path.write_text(RULES)
    assert read_rules(path, network) == rules
    path.write_text(RULES.replace("[[32], [0]]", "[32, 0]"))
    assert read_rules(path, network) == rules
    path.write_text(RULES.replace("[[32], [0]]", "[[32], [0, 1]]"))
    with pytest.raises(NetworkError, match="p: 1 and 2 tags, needs two of each of the 1 synapses"):
        read_rules(path, network)
    path.write_text(RULES + "exponent = 10\n")
    with pytest.raises(RecipeError, match=r"rules.toml: line 5: rules.p.exponent"):
        read_rules(path, network)


def test_the_command_exports_rules(tmp_path: Path) -> None:
    network, rules = learning_pair()
    network.save(tmp_path / "net.pumice")
    (tmp_path / "rules.toml").write_text(RULES)
    common = "export", tmp_path / "net.pumice", "--plasticity", tmp_path / "rules.toml"
    assert pumice(*common, "--to", "c", "-o", tmp_path / "firmware").status == 0
    network.to_c(tmp_path / "same", rules=rules)
    for path in (tmp_path / "same").iterdir():
        assert path.read_bytes() == (tmp_path / "firmware" / path.name).read_bytes()
    assert (tmp_path / "firmware" / "pumice_plasticity.c").exists()
    result = pumice(*common, "--to", "onnx")
    assert result.status == 2 and "--plasticity: onnx has no rules" in result.err
