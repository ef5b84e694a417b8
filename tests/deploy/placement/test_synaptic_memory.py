import numpy as np
import pytest
from chips import chip

from pumice.deploy.placement.synaptic_memory import (
    stored_weight_bits,
    synapse_bits,
    synapse_list_words,
)
from pumice.deploy.targets.target import read_target
from pumice.runtime import Conv, Dense, Projection, Sparse, SumPool

NONE = np.zeros(0, np.int64)


@pytest.mark.parametrize(
    ("outputs", "bits", "words"),
    [
        (10, 20, 4),
        (64, 20, 21),
        (50, 20, 16),
        (200, 20, 63),
        (256, 20, 81),
        (100, 15, 24),
        (9, 15, 3),
        (24, 6, 3),
        (36, 6, 4),
        (48, 6, 5),
        (64, 4, 5),
        (0, 20, 0),
    ],
)
def test_list_words_equal_the_tables_of_the_loihi_2_compiler(
    outputs: int, bits: int, words: int
) -> None:
    synapse = read_target("loihi2").synapse
    assert synapse and synapse_list_words(synapse, np.array([outputs]), bits).tolist() == [words]


def test_lists_of_loihi_1_are_split_after_64_synapses() -> None:
    """64 synapses of 8 bits and 10 bits of head are 522 bits, 9 words; 6 more are 58 bits."""
    synapse = read_target("loihi1").synapse
    assert synapse
    assert synapse_list_words(synapse, np.array([64, 70, 128, 1]), 8).tolist() == [9, 10, 18, 1]


@pytest.mark.parametrize(
    ("weights", "bits"),
    [
        ([[-256, 254]], 8),
        ([[0, 255]], 8),
        ([[-255, 0]], 8),
        ([[-2, 2]], 2),
        ([[-4, 2]], 2),
        ([[-64, 64]], 2),
        ([[64, 192]], 2),
        ([[64, 64]], 1),
        ([[0, 0]], 1),
        ([[1, 2]], 2),
    ],
)
def test_stored_weight_bits_exclude_the_common_power_of_two(
    weights: list[list[int]], bits: int
) -> None:
    assert stored_weight_bits(Dense(np.array(weights))) == bits


def test_pooling_stores_one_bit_for_a_power_of_two() -> None:
    assert stored_weight_bits(SumPool((2, 2), (2, 2), weight=64)) == 1
    assert stored_weight_bits(SumPool((2, 2), (2, 2), weight=-3)) == 2
    assert stored_weight_bits(Sparse(NONE, NONE, NONE, (2, 2))) == 1


def test_a_synapse_stores_weight_index_and_delay_beyond_one_step() -> None:
    synapse = chip(dense_index_bits=12, sparse_index_bits=9).synapse
    unshared = chip(sparse_index_bits=9, convolution="neuron").synapse
    assert synapse and unshared
    dense = Projection("p", "a", "b", Dense(np.array([[0, 255]])))
    conv = Projection("p", "a", "b", Conv(np.full((1, 1, 1, 2), 255)))
    assert synapse_bits(synapse, dense, 1) == 20
    assert synapse_bits(synapse, dense, 4) == 22
    assert synapse_bits(synapse, conv, 1) == 8
    assert synapse_bits(unshared, conv, 1) == 17
