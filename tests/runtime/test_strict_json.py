"""JSON of others: finite numbers of few digits in brackets of bounded depth."""

import pytest

from pumice.runtime.strict_json import parse_json


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("NaN", "NaN is no number"),
        ("[1, -Infinity]", "-Infinity is no number"),
        ('{"a": 1e999}', "1e999 is no number"),
        ("9" * 5000, "an integer of 5000 digits"),
        ("[" * 100_000, "nested too deeply"),
        ('{"a":' * 100_000, "nested too deeply"),
        ("[1", "Expecting"),
        (b"\xff\xfe\xff", "decode"),
    ],
)
def test_what_is_no_strict_json_is_a_value_error(text: str | bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_json(text)


def test_ordinary_json_is_parsed() -> None:
    assert parse_json('{"a": [1, -2.5, "x", null, true]}') == {"a": [1, -2.5, "x", None, True]}
