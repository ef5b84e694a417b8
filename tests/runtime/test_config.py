import pytest
from pydantic import BaseModel, ConfigDict

from pumice.runtime.config import find_line, validate
from pumice.runtime.errors import RecipeError

TEXT = """# a comment
[first]
one = 1

[[many]]
name = "a = 1"
[[many]]
name = '''
long'''
inner = { deep = 2 }
"""


@pytest.mark.parametrize(
    ("location", "line"),
    [
        (("first",), 2),
        (("first", "one"), 3),
        (("first", "missing"), 2),
        (("many", 0, "name"), 6),
        (("many", 1), 7),
        (("many", 1, "name"), 9),
        (("many", 1, "inner", "deep"), 10),
        (("many", 1, "inner", "absent"), 10),
        (("many", 2), 5),
        (("absent", "key"), 0),
        ((), 0),
    ],
)
def test_the_line_of_a_key_is_where_it_is_set(location: tuple[str | int, ...], line: int) -> None:
    assert find_line(TEXT, location) == line


class Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    size: int = 0
    either: int | bool = 0
    pair: tuple[int, int] = (0, 0)


def test_an_error_names_the_line_of_the_text() -> None:
    with pytest.raises(RecipeError, match="^mine: line 2: sise: unknown key; did you mean 'size'"):
        validate(Settings, {"sise": 1}, "mine", "# first\nsise = 1")
    with pytest.raises(RecipeError, match="^mine: sise: unknown key"):
        validate(Settings, {"sise": 1}, "mine")


def test_an_error_in_a_union_names_its_key() -> None:
    with pytest.raises(RecipeError, match="^mine: either = 'x': input should be a valid integer"):
        validate(Settings, {"either": "x"}, "mine")


def test_a_pair_of_one_value_is_named_with_its_line() -> None:
    with pytest.raises(RecipeError, match=r"^mine: line 1: pair = \[1\]: "):
        validate(Settings, {"pair": [1]}, "mine", "pair = [1]")
