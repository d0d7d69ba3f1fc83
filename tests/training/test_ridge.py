"""Ridge regression against scikit-learn's; what it is given stays as it was."""

from signs.training.ridge import Ridge, scale_of, solve_ridge

import numpy as np
import pytest
from sklearn import linear_model


@pytest.mark.parametrize("penalty", [0.1, 3.0])
@pytest.mark.parametrize("rows", [30, 200], ids=["fewer rows than features", "more"])
def test_ridge_is_scikit_learn_s(penalty, rows):
    rng = np.random.default_rng(0)
    features = rng.normal(0.5, 1, (rows, 80)).astype(np.float32)
    targets = np.eye(4)[rng.integers(0, 4, rows)]
    wanted = linear_model.Ridge(alpha=penalty).fit(np.float64(features), targets)
    given = features.copy()
    ridge = Ridge(given, targets)
    np.testing.assert_array_equal(given, features)
    np.testing.assert_allclose(ridge.features, features, atol=1e-6)
    weights, bias = ridge.solve(penalty)
    np.testing.assert_allclose(weights, wanted.coef_.T, atol=1e-4)
    np.testing.assert_allclose(bias, wanted.intercept_, atol=1e-4)
    np.testing.assert_allclose(ridge.answers(weights, bias), wanted.predict(features), atol=1e-4)
    for one, other in zip(solve_ridge(given, targets, penalty), (weights, bias), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_rows_that_count_twice_are_as_two_rows():
    rng = np.random.default_rng(0)
    features, targets = rng.normal(0.5, 1, (40, 6)).astype(np.float32), np.eye(3)[rng.integers(0, 3, 40)]
    counts = rng.integers(1, 4, 40)
    wanted = solve_ridge(np.repeat(features, counts, axis=0), np.repeat(targets, counts, axis=0), 2.0)
    for one, other in zip(solve_ridge(features, targets, 2.0, counts), wanted, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)
    scales = scale_of(features, counts), scale_of(np.repeat(features, counts, axis=0))
    np.testing.assert_allclose(*scales, rtol=1e-5)
