import numpy as np
import pytest
from chips import chip

from bench import shapes
from pumice.deploy.placement import lower_bound, problem
from pumice.deploy.placement.place import place
from pumice.deploy.profile import profile
from pumice.deploy.targets.target import FOLDER, read_target
from pumice.runtime import Network, Program, Trace
from pumice.runtime.engines.reference import run
from pumice.runtime.errors import EngineError, PlacementError, RecipeError

NETWORK = shapes.dense_net(30, 20, 10)
EVENTS = (np.random.default_rng(1).random((4, 2, 30)) < 0.3).astype(np.uint8)


@pytest.fixture(scope="module")
def trace() -> Trace:
    return run(NETWORK, EVENTS)


def test_targets_are_given_by_name_or_path(trace: Trace, tmp_path: object) -> None:
    path = f"{tmp_path}/mine.toml"
    with open(path, "w", encoding="utf-8") as file:
        from importlib import resources

        file.write(resources.files(FOLDER).joinpath("loihi2.toml").read_text(encoding="utf-8"))
    expected = place(NETWORK, read_target("loihi2"))
    assert place(NETWORK, "loihi2") == place(NETWORK, path) == expected
    assert profile(NETWORK, trace, "loihi2") == profile(NETWORK, trace, read_target("loihi2"))


def test_a_program_is_profiled_as_it_is_placed(trace: Trace) -> None:
    program = place(NETWORK, "loihi1")
    assert profile(program, trace) == profile(NETWORK, trace, "loihi1")
    assert profile(program, trace).program is program


def test_a_program_on_a_custom_target_requires_the_target(trace: Trace) -> None:
    target = chip(neurons=8)
    program = place(NETWORK, target)
    with pytest.raises(PlacementError, match="tiny: not a shipped target; pass the one that"):
        profile(program, trace)
    assert profile(program, trace, target).lower_bound == len(program.cores) == 4
    with pytest.raises(PlacementError, match="the program is placed on tiny, but the target is l"):
        profile(program, trace, "loihi1")


def test_a_network_requires_a_target(trace: Trace) -> None:
    with pytest.raises(PlacementError, match="profile: a network needs a target, one of cmos45"):
        profile(NETWORK, trace)
    with pytest.raises(RecipeError, match="loihi9: no such file or shipped target"):
        profile(NETWORK, trace, "loihi9")


def test_other_types_raise_one_line() -> None:
    with pytest.raises(PlacementError, match="the model is a list, needs a Network; convert it f"):
        place([NETWORK], "loihi1")  # type: ignore[arg-type]
    with pytest.raises(RecipeError, match="target: is a int, needs a Target, a name or a path"):
        place(NETWORK, 2)  # type: ignore[arg-type]


def test_an_oversized_network_is_profiled_without_a_placement(trace: Trace) -> None:
    found = profile(NETWORK, trace, chip(neurons=3, chips=1, cores=2))
    assert found.program is None and "use fewer channels" in found.placement_error
    assert "not placed: network: 30 neurons" in repr(found)
    with pytest.raises(EngineError, match="every spike"):
        profile(NETWORK, run(NETWORK, EVENTS, "output"), "loihi1")


@pytest.mark.parametrize("subject", [NETWORK, place(NETWORK, "loihi1")], ids=["network", "program"])
def test_problem_and_lower_bound_are_computed_once(
    subject: Network | Program, trace: Trace, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    for module, name in ((problem, "_core_limits"), (lower_bound, "_weight_vectors")):
        original = getattr(module, name)

        def count(*arguments: object, original=original, name=name) -> object:  # type: ignore[no-untyped-def]
            calls.append(name)
            return original(*arguments)

        monkeypatch.setattr(module, name, count)
    profile(subject, trace, "loihi1")
    assert sorted(calls) == ["_core_limits", "_weight_vectors"]


def test_reprs_are_one_line_and_summaries_are_tables(trace: Trace) -> None:
    program = place(NETWORK, "loihi2")
    assert repr(program) == "Program(loihi2: 30 neurons on 1 core, 1 chip)"
    lines = str(program.summary()).splitlines()
    assert lines[0].split() == ["population", "shape", "neurons", "slices", "largest", "slice",
                                "cores"]  # fmt: skip
    assert lines[2].split()[1:] == ["20", "20", "1", "20", "1"]
    assert lines[-1].startswith("1 core on 1 chip of loihi2; up to ")
    found = profile(program, trace)
    assert repr(found).startswith("Profile(loihi2, 1 core, ") and "\n" not in repr(found)
    total = found.cost.energies[0].total
    assert f"{total[0] * 1e6:.4g} µJ" in str(found.summary())
    assert "lower bound 1 core" in str(found.summary())
    assert found._repr_html_().count("<table>") == 3
