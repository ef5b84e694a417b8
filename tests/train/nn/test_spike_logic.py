"""Gates against their truth tables, and their gradients."""

import pytest
import torch

from pumice.runtime.errors import NetworkError
from pumice.train.nn.spike_logic import Gate

FIRST = torch.tensor([0.0, 0.0, 1.0, 1.0]).view(1, 1, 4)
SECOND = torch.tensor([0.0, 1.0, 0.0, 1.0]).view(1, 1, 4)


@pytest.mark.parametrize(("kind", "spikes"), [("or", [0, 1, 1, 1]), ("iand", [0, 1, 0, 0])])
def test_gates_have_their_truth_table(kind: str, spikes: list[int]) -> None:
    gate = Gate("gate", kind, ("first", "second"))  # type: ignore[arg-type]
    assert gate(FIRST, SECOND).flatten().tolist() == spikes


def test_the_gradient_of_iand_by_hand() -> None:
    first, second = FIRST.clone().requires_grad_(), SECOND.clone().requires_grad_()
    Gate("gate", "iand", ("first", "second"))(first, second).sum().backward()
    assert first.grad is not None and second.grad is not None
    assert first.grad.flatten().tolist() == [0, -1, 0, -1]
    assert second.grad.flatten().tolist() == [1, 1, 0, 0]


def test_max_pooling_spikes_where_any_spike_is_in_the_window() -> None:
    spikes = torch.zeros(1, 1, 1, 4, 4)
    spikes[..., 0, 1] = spikes[..., 3, 3] = 1
    pooled = Gate("pool", "max", ("spikes",), (2, 2), (2, 2))(spikes)
    assert pooled.flatten().tolist() == [1, 0, 0, 1]


def test_max_pooling_of_a_sum_is_an_error_with_a_remedy() -> None:
    with pytest.raises(NetworkError, match="pool: max takes spikes of 1 populations, not the sum"):
        Gate("pool", "max", ("first", "second"))
