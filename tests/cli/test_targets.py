import tomllib
from importlib import resources
from pathlib import Path

import pytest
from command import pumice

from pumice.deploy.targets.target import list_targets

FOLDER = resources.files("pumice.deploy.targets")


def test_all_targets_are_listed_with_their_cores() -> None:
    result = pumice("targets")
    assert result.status == 0
    for name in list_targets():
        assert name in result.out
    assert "768 x 128" in result.out and "1,152 x 120" in result.out


@pytest.mark.parametrize("name", list_targets())
def test_every_constant_of_the_file_is_in_the_json_document(name: str) -> None:
    """The oracle reads the file as TOML, without pumice's own models."""
    constants = pumice("targets", name, "--json").document["constants"]
    expected = {}

    def walk(table: dict[str, object], path: str) -> None:
        for key, value in table.items():
            if isinstance(value, dict) and "value" in value:
                expected[f"{path}{key}"] = value
            elif isinstance(value, dict):
                walk(value, f"{path}{key}.")

    walk(tomllib.loads(FOLDER.joinpath(f"{name}.toml").read_text()), "")
    assert set(constants) == set(expected) and len(expected) > 3
    for key, constant in expected.items():
        values = {k: v for k, v in constants[key].items() if v is not None}
        assert constant.items() <= values.items()


def test_a_target_is_printed_with_value_unit_source_and_certainty_per_constant() -> None:
    out = pumice("targets", "loihi1").out
    rows = [" ".join(line.split()) for line in out.splitlines()]
    assert "neurons 1,024 neurons nengo_loihi published" in rows
    prices = rows[rows.index("energy.davies2018 value source certainty") :]
    assert prices[2] == "operation 23.6 pJ davies2018 published"
    assert "465" in out and "113" in out and "Sources" in out and "IEEE Micro 38(1):82-99" in out


@pytest.mark.parametrize("name", list_targets())
def test_tables_fit_60_columns_and_hold_every_constant(name: str) -> None:
    out = pumice("targets", name).out
    rules = [line for line in out.splitlines() if line.startswith("\u2500")]
    assert rules and max(map(len, rules)) <= 60
    for key, constant in pumice("targets", name, "--json").document["constants"].items():
        assert key.rpartition(".")[2] in out and constant["source"] in out
        assert constant["note"] in out.replace("\n  ", " ")


def test_a_custom_file_is_printed(tmp_path: Path) -> None:
    text = FOLDER.joinpath("cmos45.toml").read_text().replace('"cmos45"', '"mine"', 1)
    (tmp_path / "mine.toml").write_text(text)
    assert pumice("targets", tmp_path / "mine.toml", "--json").document["name"] == "mine"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('unit = "pJ", ', "", "line 13: energy.float32.operation.unit: is missing"),
        ("value = 0.9", "value = -0.9", "line 13: energy.float32.operation.value = -0.9: input"),
        ('about = "float', 'abuot = "float', "line 11: energy.float32.abuot: unknown key; did y"),
    ],
)
def test_an_invalid_file_is_an_error_with_line_and_key(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(FOLDER.joinpath("cmos45.toml").read_text().replace(old, new, 1))
    result = pumice("targets", path)
    assert result.status == 2 and result.err.startswith(f"pumice: {path}: {message}")
    assert result.err.count("\n") == 1


def test_an_unknown_name_is_an_error() -> None:
    result = pumice("targets", "loihi3")
    assert result.status == 2 and "did you mean 'loihi2'" in result.err
