import pytest

from pumice.runtime.errors import RecipeError
from pumice.train.recipes.sweep_space import Parameter, check_space, parse_parameter, parse_seeds


@pytest.mark.parametrize(
    ("text", "parameter"),
    [
        ("training.lr=1e-4:1e-1:log", Parameter("training.lr", (), 1e-4, 1e-1, True)),
        ("data.timesteps=2:8", Parameter("data.timesteps", (), 2, 8)),
        ("network.hidden=[64],[32, 16]", Parameter("network.hidden", ("[64]", "[32, 16]"))),
        (
            "network.neuron.surrogate=atan,triangle",
            Parameter("network.neuron.surrogate", ('"atan"', '"triangle"')),
        ),
    ],
)
def test_a_parameter_is_a_range_or_a_list(text: str, parameter: Parameter) -> None:
    assert parse_parameter(text) == parameter


@pytest.mark.parametrize("text", ["lr", "lr=", "lr=2:1", "lr=0:1:log", "lr=1:2:lin", "lr=a:b"])
def test_another_form_is_an_error(text: str) -> None:
    with pytest.raises(RecipeError, match=f"--param {text}: needs"):
        parse_parameter(text)


@pytest.mark.parametrize("text", ["", "a", "0,0", "-1", "1.5", "0,"])
def test_seeds_are_different_numbers(text: str) -> None:
    assert parse_seeds("0, 2") == (0, 2)
    with pytest.raises(RecipeError, match="--seeds"):
        parse_seeds(text)


@pytest.mark.parametrize(
    ("parameters", "overrides", "message"),
    [
        ((), (), "no parameter; give at least one --param"),
        (("training.lrr=1:2",), (), "training.lrr: unknown key; did you mean 'lr'"),
        (("data.timesteps=0:4",), ("training.validation_per_class=9",), "data.timesteps = 0"),
        (("training.lr=1:2",), (), "needs validation samples"),
    ],
)
def test_a_space_that_a_recipe_rejects_is_an_error(
    parameters: tuple[str, ...], overrides: tuple[str, ...], message: str
) -> None:
    with pytest.raises(RecipeError, match=message):
        check_space("digits-events", overrides, [parse_parameter(each) for each in parameters])
