import tomllib
from importlib import resources
from pathlib import Path

import pytest
from command import pumice

from pumice.deploy.targets.target import list_targets

FOLDER = resources.files("pumice.deploy.targets")


def test_all_targets_are_listed_with_their_cores() -> None:
    answer = pumice("targets")
    assert answer.status == 0
    for name in list_targets():
        assert name in answer.out
    assert "768 x 128" in answer.out and "1,152 x 120" in answer.out


@pytest.mark.parametrize("name", list_targets())
def test_every_constant_of_the_file_is_told_with_unit_source_and_certainty(name: str) -> None:
    """The oracle reads the file as TOML, without pumice's own models."""
    told = pumice("targets", name, "--json").document["constants"]
    found = {}

    def walk(table: dict[str, object], path: str) -> None:
        for key, value in table.items():
            if isinstance(value, dict) and "value" in value:
                found[f"{path}{key}"] = value
            elif isinstance(value, dict):
                walk(value, f"{path}{key}.")

    walk(tomllib.loads(FOLDER.joinpath(f"{name}.toml").read_text()), "")
    assert set(told) == set(found) and len(found) > 3
    for key, constant in found.items():
        assert constant.items() <= {k: v for k, v in told[key].items() if v is not None}.items()


def test_an_explained_target_shows_value_unit_source_and_certainty_on_a_line() -> None:
    out = pumice("targets", "loihi1").out
    rows = [" ".join(line.split()) for line in out.splitlines()]
    assert any(row.startswith("core.neurons 1,024 neurons nengo_loihi published") for row in rows)
    assert any(row.startswith("energy.davies2018.operation 23.6 pJ davies2018") for row in rows)
    assert "465" in out and "113" in out and "Sources" in out and "IEEE Micro 38(1):82-99" in out


def test_a_file_of_ones_own_is_explained(tmp_path: Path) -> None:
    text = FOLDER.joinpath("cmos45.toml").read_text().replace('"cmos45"', '"mine"', 1)
    (tmp_path / "mine.toml").write_text(text)
    assert pumice("targets", tmp_path / "mine.toml", "--json").document["name"] == "mine"


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('unit = "pJ", ', "", "line 13: energy.float32.operation.unit: is missing"),
        ("value = 0.9", "value = -0.9", "line 13: energy.float32.operation.value = -0.9: input"),
        ('about = "float', 'abuot = "float', "line 11: energy.float32.abuot: unknown key; did y"),
    ],
)
def test_a_bad_file_is_refused_with_line_and_key(
    tmp_path: Path, old: str, new: str, told: str
) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(FOLDER.joinpath("cmos45.toml").read_text().replace(old, new, 1))
    answer = pumice("targets", path)
    assert answer.status == 2 and answer.err.startswith(f"pumice: {path}: {told}")
    assert answer.err.count("\n") == 1


def test_a_name_that_is_none_is_refused() -> None:
    answer = pumice("targets", "loihi3")
    assert answer.status == 2 and "there are cmos45, generic8, loihi1, loihi2" in answer.err
