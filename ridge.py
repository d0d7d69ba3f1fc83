"""Ridge regression on classes: the optimum of a linear layer, exactly; imported, never run.

    ridge = Ridge(features, targets); weights, bias = ridge.solve(penalty)

Regularised least squares on 0 and 1 classifies about as well as what is trained with a cross-entropy (Rifkin 2003), and
its optimum is unique and has a closed form.
"""

import numpy as np
from scipy import linalg

FLAT = 1e-3  # of a feature's standard deviation: one that hardly varies is not blown up


def scale_of(features: np.ndarray) -> np.ndarray:
    """(N, D) -> (D,) float32 factors that bring each feature to the same spread and a row to length 1 or so."""
    return np.float32(1 / ((features.std(axis=0) + FLAT) * np.sqrt(features.shape[1])))


class Ridge:
    """Least squares with a penalty on the squared weights, not on the biases, for any penalty: the products of the N
    rows or of the D features, whichever are fewer, are decomposed once."""

    def __init__(self, features: np.ndarray, targets: np.ndarray):
        """features (N, D) float32, whose mean is taken away in place; targets (N, classes)."""
        self.mean, self.bias = features.mean(axis=0), targets.mean(axis=0)
        features -= self.mean
        self.features = features
        self.many = len(features) > features.shape[1]
        products, aims = features @ features.T if not self.many else features.T @ features, targets - self.bias
        self.squares, self.axes = linalg.eigh(np.float64(products), overwrite_a=True, driver="evd")
        self.turned = self.axes.T @ (features.T @ aims if self.many else aims)

    def solve(self, penalty: float) -> tuple[np.ndarray, np.ndarray]:
        """(D, classes) weights and (classes,) biases, float32."""
        weights = np.float32(self.axes @ (self.turned / (np.maximum(self.squares, 0) + penalty)[:, None]))
        if not self.many:
            weights = self.features.T @ weights
        return weights, np.float32(self.bias - self.mean @ weights)

    def answers(self, weights: np.ndarray, bias: np.ndarray) -> np.ndarray:
        """(N, classes) of the rows themselves."""
        return self.features @ weights + (self.mean @ weights + bias)
