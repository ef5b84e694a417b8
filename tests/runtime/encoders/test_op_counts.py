"""Operations of encoders, counted by hand."""

from encoders import make_log_mel

from pumice.runtime.encoders import DeltaCode, LatencyCode, RateCode
from pumice.runtime.encoders.op_counts import EncoderOps, count_encoder_ops


def test_operations_of_a_small_filter_bank_are_those_counted_by_hand() -> None:
    encoder = make_log_mel(bands=2, size=8, windows=3, edges=[0, 1, 3, 5])
    # N = 8: M = 4 has 2 stages of 2 butterflies, of which 2 + 1 have the factor 1; 5 bins
    window = 6
    multiplications = window + 4 * 1 + 7 * 5 + 2
    additions = window + 8 * 1 + 4 * 3 + 13 * 5 + 4 * 2
    assert len(encoder.window) == window
    counted = count_encoder_ops((encoder,), 0)
    assert counted == EncoderOps(3 * multiplications, 3 * additions)


def test_operations_of_spike_codes_grow_with_the_values() -> None:
    assert count_encoder_ops((RateCode(4),), 10) == EncoderOps(20, 10)
    assert count_encoder_ops((LatencyCode(5, 4),), 10) == EncoderOps(10, 10)
    assert count_encoder_ops((DeltaCode(3),), 10) == EncoderOps(0, 10)
    assert count_encoder_ops((), 10) == EncoderOps()
