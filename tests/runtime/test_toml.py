"""TOML of others is parsed in bounded time, or refused in one line."""

import time
from pathlib import Path

import pytest
from pydantic import BaseModel

from pumice.runtime.config import Options, load_config
from pumice.runtime.errors import RecipeError
from pumice.runtime.toml import MAX_BYTES, MAX_KEY_PARTS, parse_toml

SECONDS = 5  # of a case; before, some took minutes


class Table(Options):
    """A recipe of one table."""

    epochs: int = 1
    table: dict[str, int] = {}


BOMBS = {
    "a dotted key": "a" + ".a" * 20000 + " = 1\n",
    "a dotted key of quoted parts": '"a b"' + '."a b"' * 6000 + " = 1\n",
    "a dotted header": "[a" + ".a" * 20000 + "]\n",
    "a dotted key in braces": "x = {a" + ".a" * 20000 + " = 1}\n",
    "a long key": "a" * 40000 + " = 1\n",
    "open brackets": "a = " + "[" * 50000,
    "brackets": "a = " + "[" * 5000 + "]" * 5000,
    "braces": "a = " + "{a=" * 5000 + "1" + "}" * 5000,
    "digits": "epochs = " + "9" * 40000,
    "hexadecimal digits": "epochs = 0x" + "f" * 40000,
    "an exponent": "epochs = 1e99999999",
    "quotes": 'a = "' + '\\"' * 60000,
    "words": "a " * 60000,
    "lines": "".join(f"a{k} = 1\n" for k in range(20000)),
    "an error in the last of many lines": "#\n" * 20000 + "epochs = 'x'\n",
    "not UTF-8": "a = '\udcff'",
    "another kind": "\0" * 999,
    "a large file": "#" * (MAX_BYTES + 1),
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_is_an_error_of_one_line_in_bounded_time(bomb: str, tmp_path: Path) -> None:
    (tmp_path / "r.toml").write_bytes(BOMBS[bomb].encode("utf-8", "surrogateescape"))
    start = time.process_time()
    with pytest.raises(RecipeError) as caught:
        load_config(Table, tmp_path / "r.toml")
    assert time.process_time() - start < SECONDS
    assert str(caught.value).startswith(f"{tmp_path / 'r.toml'}: ")
    assert "\n" not in str(caught.value)


def test_a_huge_file_is_not_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "huge.toml"
    with path.open("wb") as file:
        file.truncate(1 << 36)
    with pytest.raises(RecipeError, match="is not TOML: more than"):
        load_config(Table, path)
    with pytest.raises(RecipeError, match="/dev/zero: is no regular file"):
        load_config(Table, "/dev/zero")


@pytest.mark.parametrize("value", ["[" * 5000, "9" * 5000, "{a=" * 5000])
def test_an_override_that_is_no_toml_is_text(value: str, tmp_path: Path) -> None:
    (tmp_path / "r.toml").write_text("")
    with pytest.raises(RecipeError, match="epochs = "):
        load_config(Table, tmp_path / "r.toml", [f"epochs={value}"])


def test_ordinary_toml_is_read() -> None:
    text = "[a.b]\nc.d = 1.5  # 1.2.3\ne = ['../../x', 0.1]\nf = {g.h = 1979-05-27T07:32:00Z}\n"
    assert parse_toml(text)["a"]["b"]["c"] == {"d": 1.5}


def test_paths_and_lists_of_floats_are_no_dotted_keys() -> None:
    floats = ", ".join(f"{k}.5" for k in range(99))
    assert len(parse_toml(f"a = [{floats}]\nb = '{'a.' * 99}'")["a"]) == 99


def test_the_deepest_key_is_one_of_the_limit() -> None:
    values: object = parse_toml(".".join(["a"] * MAX_KEY_PARTS) + " = 1")
    for _ in range(MAX_KEY_PARTS):
        assert isinstance(values, dict)
        values = values["a"]
    with pytest.raises(ValueError, match="more than 32 parts"):
        parse_toml(".".join(["a"] * (MAX_KEY_PARTS + 1)) + " = 1")


def test_models_without_options_are_loaded_too(tmp_path: Path) -> None:
    class Plain(BaseModel):
        a: int

    (tmp_path / "p.toml").write_text("a = 3\r\n")
    assert load_config(Plain, tmp_path / "p.toml").a == 3
