from pathlib import Path

import pytest

from pumice.runtime.errors import DataError, RecipeError
from pumice.train.data.options import DataOptions
from pumice.train.data.registry import LOADERS, load


def test_a_data_set_is_found_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[DataOptions] = []
    monkeypatch.setitem(LOADERS, "small", asked.append)
    load("small", folder=tmp_path, timesteps=3, binning="count")
    options = DataOptions(name="small", folder=tmp_path, timesteps=3, binning="count")
    load(**options.model_dump())
    assert asked == [options, options]


@pytest.mark.parametrize(
    ("name", "near"), [("digit-events", "digits-events"), ("N-MNIST", "nmnist"), ("", "")]
)
def test_an_unknown_name_is_refused_with_the_nearest(name: str, near: str) -> None:
    with pytest.raises(DataError, match=f'no data set "{name}"; the nearest is "{near}'):
        load(name)


def test_an_unknown_option_is_refused() -> None:
    message = "digits-events: timestep: unknown key; did you mean 'timesteps'"
    with pytest.raises(RecipeError, match=message):
        load("digits-events", timestep=3)
