from pathlib import Path

import pytest
from torch import nn

from pumice.runtime.errors import FileError, NetworkError
from pumice.train.model_loader import load_model

CODE = """
from torch import nn

class Net(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Linear(4, 3))

net = nn.Sequential(nn.Linear(4, 2))
nested = type("Namespace", (), {"net": net})

def build():
    return [net]

def fail():
    raise ValueError("weights are\\nmissing")
"""


@pytest.fixture
def code(tmp_path: Path) -> Path:
    path = tmp_path / "layers.py"
    path.write_text(CODE)
    return path


@pytest.mark.parametrize(
    ("name", "kind"), [("net", nn.Sequential), ("Net", nn.Sequential), ("build", list)]
)
def test_a_name_in_a_file_is_an_object_a_class_or_a_function(
    code: Path, name: str, kind: type
) -> None:
    assert isinstance(load_model(f"{code}:{name}"), kind)


def test_a_name_may_have_dots(code: Path) -> None:
    assert isinstance(load_model(f"{code}:nested.net"), nn.Sequential)


def test_other_files_are_returned_as_a_path(tmp_path: Path) -> None:
    path = tmp_path / "net.nir"
    assert load_model(path) == load_model(str(path)) == path


@pytest.mark.parametrize(
    ("name", "message"),
    [("missing", "has no 'missing'"), ("fail", "ValueError: weights are$")],
)
def test_faulty_code_is_an_error_of_one_line(code: Path, name: str, message: str) -> None:
    with pytest.raises(NetworkError, match=message):
        load_model(f"{code}:{name}")


def test_a_missing_file_is_an_error() -> None:
    with pytest.raises(FileError, match="absent.py: no such file"):
        load_model("absent.py:net")
