"""Errors are one line, whatever names they quote."""

import pytest

from pumice.runtime.errors import FileError, MissingPackage, PumiceError


@pytest.mark.parametrize("kind", [PumiceError, FileError, MissingPackage])
def test_a_message_is_one_line_of_printable_characters(kind: type[PumiceError]) -> None:
    error = kind("node a\n\x01b: has no type\r\n  é, needs one")
    assert str(error) == "node a \\x01b: has no type é, needs one"
    assert error.args == ("node a\n\x01b: has no type\r\n  é, needs one",)
