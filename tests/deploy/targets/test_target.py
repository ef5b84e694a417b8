import re
from importlib import resources
from pathlib import Path

import pytest

from pumice.deploy.targets.target import iter_constants, list_targets, read_target
from pumice.runtime.errors import RecipeError

LOIHI = resources.files("pumice.deploy.targets").joinpath("loihi1.toml").read_text()


def error_message(tmp_path: Path, old: str, new: str) -> str:
    """Error message for loihi1.toml with the first `old` replaced by `new`, without the line."""
    path = tmp_path / "mine.toml"
    assert old in LOIHI
    path.write_text(LOIHI.replace(old, new, 1))
    with pytest.raises(RecipeError) as caught:
        read_target(str(path))
    message = str(caught.value)
    assert "\n" not in message and message.startswith(f"{path}: ")
    return re.sub(r"line \d+: ", "", message.removeprefix(f"{path}: "))


def line_number(text: str) -> int:
    """Line of the first `text` in loihi1.toml."""
    return LOIHI[: LOIHI.index(text)].count("\n") + 1


def test_seven_targets_are_shipped() -> None:
    assert list_targets() == [
        "cmos45",
        "cortex-m4",
        "cortex-m7",
        "generic8",
        "loihi1",
        "loihi2",
        "rv32imac",
    ]


@pytest.mark.parametrize("name", list_targets())
def test_every_constant_has_a_source_and_a_certainty(name: str) -> None:
    target = read_target(name)
    assert target.name == name
    constants = dict(iter_constants(target))
    assert len(constants) > 3
    for constant in constants.values():
        assert len(target.sources[constant.source]) > 10
        assert constant.certainty in ("published", "derived", "assumed")
    assert set(target.sources) == {constant.source for constant in constants.values()}


def test_loihi_1_has_the_published_values() -> None:
    constants = {key: c.value for key, c in iter_constants(read_target("loihi1"))}
    assert constants["chip.cores"] == 128 and constants["core.neurons"] == 1024
    assert constants["core.synaptic_memory"] == 128 * 1024 * 8
    assert constants["energy.davies2018.operation"] == 23.6
    assert constants["time.sanafe.barrier"] == 1.8


def test_no_energy_of_loihi_2_is_marked_as_published() -> None:
    energies = [c for key, c in iter_constants(read_target("loihi2")) if key.startswith("energy")]
    assert {energy.certainty for energy in energies} == {"assumed"}


def test_a_price_is_in_joules_or_seconds_with_its_range() -> None:
    target = read_target("loihi1")
    assert target.energy["davies2018"].operation.range == pytest.approx((23.6e-12, 23.6e-12))
    assert target.time["davies2018"].barrier.range == pytest.approx((113e-9, 465e-9))
    assert target.time["sanafe"].barrier.range == pytest.approx((0.6e-6, 1.8e-6))


def test_operation_price_depends_on_connection_kind_and_graded_values() -> None:
    sanafe = read_target("loihi1").energy["sanafe"]
    assert sanafe.operation_price("conv", False).value == 24.0
    assert sanafe.operation_price("dense", True).value == 35.5
    assert read_target("cmos45").energy["float32"].operation_price("conv", True).value == 4.6


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('unit = "neurons", ', "", "core.neurons.unit: is missing"),
        ("value = 23.6", "value = -23.6", "energy.davies2018.operation.value = -23.6: input shou"),
        ("value = 23.6", "value = nan", "energy.davies2018.operation.value = nan: input should b"),
        ("[core]\nneurons", "[core]\nnerons", "core.nerons: unknown key; did you mean 'neurons'?"),
        ('unit = "neurons"', 'unit = "bits"', "core.neurons.unit = 'bits': input should be 'neu"),
        ("value = 1024", "value = 1024.5", "core.neurons.value = 1024.5: input should be a vali"),
        ("value = 1024", "value = -1", "core.neurons.value = -1: input should be greater than"),
        ('source = "pohoiki", ', "", "chip.chips.source: is missing"),
        ('source = "pohoiki"', 'source = "x"', "chip.chips: source 'x' is not in table [sources]"),
        ('certainty = "published"', 'certainty = "sure"', "chip.chips.certainty = 'sure': input"),
        ('unit = "pJ"', 'unit = "J"', "energy.davies2018.operation.unit = 'J': input should be"),
        (
            "value = 23.6",
            "value = -23.6",
            "energy.davies2018.operation.value = -23.6: input should be greater than or equal to 0",
        ),
        ("min = 113", "min = 500", "time.davies2018.barrier: 465.0 is not within its range"),
        ("value = 128,", "value = 129,", "chip: 129 cores, but the mesh has room for 128"),
        ('value = "pixel"', 'value = "tile"', "synapse.convolution.value = 'tile': input should"),
    ],
)
def test_an_invalid_target_raises_with_its_key(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    assert error_message(tmp_path, old, new).startswith(message)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('unit = "neurons", ', ""),
        ("operation = { value = 23.6", "operation = { value = -23.6"),
        ("groups = {", "grups = {"),
    ],
)
def test_an_invalid_target_raises_with_its_line(tmp_path: Path, old: str, new: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(LOIHI.replace(old, new, 1))
    with pytest.raises(RecipeError, match=rf"mine.toml: line {line_number(old)}: "):
        read_target(str(path))


def test_a_target_with_a_chip_requires_all_tables(tmp_path: Path) -> None:
    text = LOIHI[: LOIHI.index("[neuron]")] + LOIHI[LOIHI.index("[synapse]") :]
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(RecipeError, match=r"table \[neuron\] is missing; give all of chip, core"):
        read_target(str(path))


def test_a_custom_file_is_read_and_a_missing_one_raises(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(LOIHI.replace('name = "loihi1"', 'name = "mine"'))
    assert read_target(str(path)).name == "mine"
    with pytest.raises(RecipeError, match="no such file or shipped target; known are cmos45, cor"):
        read_target(str(tmp_path / "absent.toml"))
