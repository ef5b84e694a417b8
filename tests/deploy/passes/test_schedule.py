import numpy as np
import pytest

from pumice.deploy.passes.schedule import Schedule, schedule
from pumice.runtime import Dense, Network, Population, Projection
from pumice.runtime.errors import EngineError


def drawn(*edges: str) -> Network:
    """A network of single neurons: "a b 2" is a projection ab from a to b with a delay of 2."""
    projections, names = [], {"input"}
    for edge in edges:
        source, target, *delay = edge.split()
        one = Dense(np.ones((1, 1)))
        name = source + target
        projections.append(
            Projection(name, source, target, one, delay=int(delay[0] if delay else 0))
        )
        names |= {source, target}
    populations = [Population(name, (1,)) for name in sorted(names - {"input"})]
    return Network((Population("input", (1,), kind="input"), *populations), tuple(projections))


def test_a_chain_is_one_step_deeper_each_hop() -> None:
    planned = schedule(drawn("input a", "a b", "b c"))
    assert planned.depths == {"input": 0, "a": 1, "b": 2, "c": 3}
    assert set(planned.lags.values()) == {1}


def test_a_skip_path_waits_for_the_longer_one() -> None:
    planned = schedule(drawn("input a", "a b", "b c", "input c", "a c"))
    assert planned.depths["c"] == 3
    assert planned.lags == {"inputa": 1, "ab": 1, "bc": 1, "inputc": 3, "ac": 2}


def test_a_delay_pays_for_the_hop() -> None:
    planned = schedule(drawn("input a 1", "a b 3"))
    assert planned.depths == {"input": 0, "a": 0, "b": 0}
    assert planned.lags == {"inputa": 1, "ab": 3}


def test_a_neuron_may_reach_itself_after_one_step() -> None:
    assert schedule(drawn("input a", "a a 1")).lags["aa"] == 1


def test_feedback_arrives_when_it_should() -> None:
    planned = schedule(drawn("input a", "a b", "b c", "c a 5"))
    assert planned.depths == {"input": 0, "a": 1, "b": 2, "c": 3}
    assert planned.lags["ca"] == 3


def test_all_samples_pass_after_the_last_depth() -> None:
    assert schedule(drawn("input a", "a b")).total_steps(timesteps=10, samples=3) == 32


@pytest.mark.parametrize(
    ("edges", "text"),
    [
        (
            ("input a", "a b", "b a 1"),
            "ab, ba: this cycle has 2 hops and a total delay of 1, but a hop takes one step on "
            "the chip; raise the delay of one by 1",
        ),
        (
            ("input a", "b c", "c d", "d b 1", "a b", "d e"),
            "bc, cd, db: this cycle has 3 hops and a total delay of 1, but a hop takes one step on "
            "the chip; raise the delay of one by 2",
        ),
    ],
)
def test_a_cycle_that_is_too_quick_is_named(edges: tuple[str, ...], text: str) -> None:
    with pytest.raises(EngineError) as caught:
        schedule(drawn(*edges))
    said = str(caught.value)
    assert sorted(said.split(":")[0].split(", ")) == text.split(":")[0].split(", ")
    assert said.split(":")[1] == text.split(":")[1]


def test_a_schedule_keeps_every_projection_possible() -> None:
    rng = np.random.default_rng(3)
    names = ["input", *"abcdef"]
    for _ in range(200):
        edges = [
            f"{s} {t} {rng.integers(0, 3)}"
            for s in names
            for t in names[1:]
            if s < t or s == "input"
        ]
        edges += [f"{s} {t} {names.index(s)}" for s, t in (("c", "a"), ("f", "b"))]
        network = drawn(
            *(edge for edge in edges if rng.random() < 0.5 or edge.startswith("input a"))
        )
        planned: Schedule = schedule(network)
        for projection in network.projections:
            lag = planned.depths[projection.target] - planned.depths[projection.source]
            assert planned.lags[projection.name] == lag + projection.delay >= 1
