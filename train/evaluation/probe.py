"""Linear probe: logistic regression on frozen features."""

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...runtime.errors import DataError, MissingPackage
from .features import Vectors

INVERSE_REGULARIZATION = 0.1  # C of the L2 penalty, on standardized features
MAX_ITERATIONS = 300
MIN_RELATIVE_STD = 0.1  # floor of a feature's standard deviation, relative to the mean one


@dataclass(frozen=True, eq=False)
class LinearProbe:
    """A linear map from features to classes: `weights` (classes, width) and `bias` (classes,)."""

    weights: NDArray[np.float64]
    bias: NDArray[np.float64]

    def predict(self, vectors: Vectors) -> NDArray[np.int64]:
        """Class of each of `vectors` (videos, width), int64 (videos,)."""
        predictions: NDArray[np.int64] = (vectors @ self.weights.T + self.bias).argmax(axis=1)
        return predictions

    def accuracy(self, vectors: Vectors, labels: NDArray[np.int64]) -> float:
        """Fraction of `vectors` that are predicted correctly."""
        return float((self.predict(vectors) == labels).mean())


def fit_linear_probe(vectors: Vectors, labels: NDArray[np.int64], classes: int) -> LinearProbe:
    """Fit logistic regression to features (videos, width) and labels, 0 to `classes` - 1.

    Features are standardized for the fit, with a floor on the standard deviation so that constant
    features are not amplified; the standardization is folded into the weights.

    Raises:
        DataError: A class has no example.
        MissingPackage: scikit-learn is not installed.
    """
    try:
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegression
    except ImportError as error:
        raise MissingPackage("a probe needs scikit-learn: pip install 'pumice[train]'") from error
    absent = sorted(set(range(classes)) - set(labels.tolist()))
    if absent or classes < 2:
        raise DataError(f"probe: no example of class {absent}, needs one of each of two or more")
    mean, deviation = vectors.mean(axis=0), vectors.std(axis=0)
    deviation = np.maximum(deviation, MIN_RELATIVE_STD * (deviation.mean() or 1))
    model = LogisticRegression(C=INVERSE_REGULARIZATION, max_iter=MAX_ITERATIONS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit((vectors - mean) / deviation, labels)
    weights, bias = model.coef_ / deviation, model.intercept_
    if classes == 2:  # scikit-learn has one row, of the second class
        weights, bias = np.concatenate([-weights, weights]) / 2, np.concatenate([-bias, bias]) / 2
    return LinearProbe(weights, bias - weights @ mean)
