import pytest

from pumice.cli import engines
from pumice.cli.options import ENGINES, EngineName
from pumice.runtime.errors import EngineError, MissingPackage


@pytest.mark.parametrize("name", ENGINES)
def test_every_engine_can_be_had(name: EngineName) -> None:
    assert callable(engines.get_engine(name))


def test_all_that_are_installed_are_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    assert engines.select_engines(None) == ENGINES
    monkeypatch.setattr(
        engines, "missing_packages", lambda packages: [p for p in packages if p == "lava"]
    )
    assert engines.select_engines(None) == ("reference", "cpu", "onnx")


def test_the_reference_is_always_the_first() -> None:
    assert engines.select_engines("lava, fast") == ("reference", "cpu", "lava")


def test_a_name_that_is_none_is_refused() -> None:
    with pytest.raises(EngineError, match="no engine 'gpu'; there are reference, fast, onnx, lava"):
        engines.select_engines("fast,gpu")


def test_an_engine_that_lacks_a_package_says_what_mends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(engines.REQUIRED_PACKAGES, "onnx", ("numpy", "no_such_package"))
    with pytest.raises(MissingPackage, match="onnx: needs no_such_package; mend it: pumice doctor"):
        engines.get_engine("onnx")
