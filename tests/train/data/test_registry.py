from pathlib import Path

import pytest

from pumice.runtime.errors import DataError, RecipeError
from pumice.train.data.catalog import DATASETS, DatasetInfo
from pumice.train.data.options import DataOptions
from pumice.train.data.registry import LOADERS, load


def test_a_dataset_is_found_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    requested: list[DataOptions] = []
    monkeypatch.setitem(LOADERS, "small", requested.append)
    monkeypatch.setitem(DATASETS, "small", DatasetInfo("a small set"))
    load("small", folder=tmp_path, timesteps=3, binning="count")
    options = DataOptions(name="small", folder=tmp_path, timesteps=3, binning="count")
    load(**options.model_dump())
    assert requested == [options, options]


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("digit-events", "did you mean 'digits-events'"),
        ("N-MNIST", "did you mean 'nmnist'"),
        ("", "known are cifar10, "),
    ],
)
def test_an_unknown_name_is_rejected_with_the_nearest(name: str, hint: str) -> None:
    with pytest.raises(DataError, match=f"no dataset '{name}'; {hint}"):
        load(name)


def test_an_unknown_option_is_rejected() -> None:
    message = "digits-events: timestep: unknown key; did you mean 'timesteps'"
    with pytest.raises(RecipeError, match=message):
        load("digits-events", timestep=3)
