import math

import numpy as np
import pytest

from pumice.train.evaluation.evaluate import (
    accuracy_from_logits,
    expected_calibration_error,
    prediction_agreement,
)

LN3 = math.log(3)
# Two steps, three samples, two classes: the sums of logits so far.
LOGITS = np.array([[[LN3, 0], [0, 1], [2, 1]], [[0, 2 * LN3], [0, 4], [4, 0]]], np.float32)
LABELS = np.array([1, 1, 1])


def test_accuracy_and_agreement_at_each_timestep() -> None:
    assert accuracy_from_logits(LOGITS, LABELS).tolist() == pytest.approx([1 / 3, 2 / 3])
    assert prediction_agreement(LOGITS).tolist() == pytest.approx([2 / 3, 1.0])


def test_the_calibration_error_by_hand() -> None:
    """One sample a step: confidence 3/4, first wrong, then correct."""
    one, label = LOGITS[:, :1], LABELS[:1]
    assert expected_calibration_error(one, label).tolist() == pytest.approx([0.75, 0.25])


def test_samples_of_one_bin_are_averaged_before_they_are_compared() -> None:
    """Four samples of confidence 3/4, three of them correct, are calibrated."""
    logits = np.array([[[LN3, 0]] * 4], np.float32)
    assert expected_calibration_error(logits, np.array([0, 0, 0, 1]))[0] == pytest.approx(
        0, abs=1e-6
    )
    assert expected_calibration_error(logits, np.array([1, 0, 0, 1]))[0] == pytest.approx(0.25)


def test_confidence_1_falls_into_the_last_bin() -> None:
    logits = np.array([[[1000.0, 0.0]]], np.float32)
    assert expected_calibration_error(logits, np.array([0])).tolist() == [0.0]
