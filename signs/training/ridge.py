"""Ridge regression on the classes: the last layer of train_linear.py.

    ridge = Ridge(features, targets)
    weights, bias = ridge.solve(penalty=3.0)

The work is done once; after it any number of penalties costs little.
"""

import numpy as np
from scipy import linalg

FLAT = 1e-3  # of a feature's standard deviation: one that hardly varies is not blown up


def scale_of(features: np.ndarray, counts: np.ndarray | None = None) -> np.ndarray:
    """(N, D), and (N,) how much each row counts -> (D,) float32 factors that bring each feature to the same spread and
    a row to length 1 or so."""
    if counts is None:
        spread = features.std(axis=0)
    else:
        spread = np.sqrt(np.average((features - np.average(features, 0, counts)) ** 2, 0, counts))
    return np.float32(1 / ((spread + FLAT) * np.sqrt(features.shape[1])))


def solve_ridge(
    features: np.ndarray, targets: np.ndarray, penalty: float, counts: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """What `Ridge(features, targets).solve(penalty)` gives, for one penalty and few features many times as quick.

    counts: (N,) how much each row counts; None: all alike, 1.
    """
    mean, bias = np.average(features, 0, counts), np.average(targets, 0, counts)
    centred = np.float64(features - mean)
    counted = centred if counts is None else centred * counts[:, None]
    products = counted.T @ centred + penalty * np.eye(features.shape[1])
    weights = np.float32(linalg.solve(products, counted.T @ (targets - bias), assume_a="pos"))
    return weights, np.float32(bias - mean @ weights)


class Ridge:
    """Least squares on 0 and 1 with a penalty on the squared weights, not on the biases, for any penalty.

    The products of the N rows or of the D features, whichever are fewer, are decomposed once. It classifies about as
    well as what is trained with a cross-entropy (Rifkin 2003); its optimum is unique and has a closed form.
    """

    def __init__(self, features: np.ndarray, targets: np.ndarray):
        """features (N, D) float32; targets (N, classes)."""
        self.mean, self.bias = features.mean(axis=0), targets.mean(axis=0)
        self.centred = centred = features - self.mean
        self.many = len(centred) > centred.shape[1]
        products, aims = centred.T @ centred if self.many else centred @ centred.T, targets - self.bias
        self.squares, self.axes = linalg.eigh(np.float64(products), overwrite_a=True, driver="evd")
        self.turned = self.axes.T @ (centred.T @ aims if self.many else aims)

    @property
    def features(self) -> np.ndarray:
        """(N, D) of the rows, to a rounding of float32."""
        return self.centred + self.mean

    def solve(self, penalty: float) -> tuple[np.ndarray, np.ndarray]:
        """(D, classes) weights and (classes,) biases, float32."""
        weights = np.float32(self.axes @ (self.turned / (np.maximum(self.squares, 0) + penalty)[:, None]))
        if not self.many:
            weights = self.centred.T @ weights
        return weights, np.float32(self.bias - self.mean @ weights)

    def answers(self, weights: np.ndarray, bias: np.ndarray) -> np.ndarray:
        """(N, classes) of the rows themselves."""
        return self.centred @ weights + (self.mean @ weights + bias)
