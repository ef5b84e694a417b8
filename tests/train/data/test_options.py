import pytest
from pydantic import ValidationError

from pumice.train.data.options import DataOptions


def test_the_default_dataset_is_generated() -> None:
    options = DataOptions()
    assert (options.name, options.folder, options.timesteps) == ("digits-events", None, 8)


def test_options_survive_json() -> None:
    options = DataOptions.model_validate({"name": "nmnist", "folder": "/data", "pool": 2})
    assert DataOptions.model_validate_json(options.model_dump_json()) == options


@pytest.mark.parametrize(
    "values",
    [{"timestep": 8}, {"timesteps": 0}, {"binning": "tme"}, {"values": "floats"}, {"pool": 0}],
)
def test_unknown_keys_and_invalid_values_are_rejected(values: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        DataOptions.model_validate(values)


def test_options_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        DataOptions().timesteps = 3


def test_the_old_spelling_of_gray_is_read() -> None:
    assert DataOptions.model_validate({"values": "grey"}).values == "gray"
