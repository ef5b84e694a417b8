import numpy as np
import pytest

from pumice.deploy.passes.schedule import Schedule, schedule
from pumice.runtime import Dense, Network, Population, Projection
from pumice.runtime.errors import EngineError


def make_network(*edges: str) -> Network:
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
    timing = schedule(make_network("input a", "a b", "b c"))
    assert timing.depths == {"input": 0, "a": 1, "b": 2, "c": 3}
    assert set(timing.lags.values()) == {1}


def test_a_skip_path_waits_for_the_longer_one() -> None:
    timing = schedule(make_network("input a", "a b", "b c", "input c", "a c"))
    assert timing.depths["c"] == 3
    assert timing.lags == {"inputa": 1, "ab": 1, "bc": 1, "inputc": 3, "ac": 2}


def test_a_delay_covers_the_hop() -> None:
    timing = schedule(make_network("input a 1", "a b 3"))
    assert timing.depths == {"input": 0, "a": 0, "b": 0}
    assert timing.lags == {"inputa": 1, "ab": 3}


def test_a_self_connection_may_have_a_delay_of_one() -> None:
    assert schedule(make_network("input a", "a a 1")).lags["aa"] == 1


def test_feedback_arrives_after_its_delay() -> None:
    timing = schedule(make_network("input a", "a b", "b c", "c a 5"))
    assert timing.depths == {"input": 0, "a": 1, "b": 2, "c": 3}
    assert timing.lags["ca"] == 3


def test_all_samples_pass_after_the_last_depth() -> None:
    assert schedule(make_network("input a", "a b")).total_steps(timesteps=10, samples=3) == 32


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
def test_a_cycle_without_enough_delay_raises_with_its_projections(
    edges: tuple[str, ...], text: str
) -> None:
    with pytest.raises(EngineError) as caught:
        schedule(make_network(*edges))
    message = str(caught.value)
    assert sorted(message.split(":")[0].split(", ")) == text.split(":")[0].split(", ")
    assert message.split(":")[1] == text.split(":")[1]


def test_every_lag_is_at_least_one() -> None:
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
        network = make_network(
            *(edge for edge in edges if rng.random() < 0.5 or edge.startswith("input a"))
        )
        timing: Schedule = schedule(network)
        for projection in network.projections:
            lag = timing.depths[projection.target] - timing.depths[projection.source]
            assert timing.lags[projection.name] == lag + projection.delay >= 1
