"""A linear probe: how much of a label a straight line finds in features that stay as they are."""

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...runtime.errors import DataError, MissingPackage
from .features import Vectors

INVERSE_REGULARIZATION = 0.1  # of the fit against its L2 penalty, on standardised features
MAX_ITERATIONS = 300
MIN_RELATIVE_STD = 0.1  # that a feature is taken to have, as a share of the mean one


@dataclass(frozen=True, eq=False)
class LinearProbe:
    """A linear map from features to classes: `weights` (classes, width) and `bias` (classes,)."""

    weights: NDArray[np.float64]
    bias: NDArray[np.float64]

    def predict(self, vectors: Vectors) -> NDArray[np.int64]:
        """Return the class of each of `vectors` (videos, width), int64 (videos,)."""
        answers: NDArray[np.int64] = (vectors @ self.weights.T + self.bias).argmax(axis=1)
        return answers

    def accuracy(self, vectors: Vectors, labels: NDArray[np.int64]) -> float:
        """Return the share of `vectors` that are told right."""
        return float((self.predict(vectors) == labels).mean())


def fit_linear_probe(vectors: Vectors, labels: NDArray[np.int64], classes: int) -> LinearProbe:
    """Fit logistic regression to features (videos, width) and their labels, 0 to `classes` - 1.

    Features are standardised for the fit (one that hardly changes is not blown up), and that is
    folded into the weights. Raises `DataError`
    where a class has no example, and `MissingPackage` without scikit-learn.
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
    if classes == 2:  # scikit-learn gives the second class's alone
        weights, bias = np.concatenate([-weights, weights]) / 2, np.concatenate([-bias, bias]) / 2
    return LinearProbe(weights, bias - weights @ mean)
