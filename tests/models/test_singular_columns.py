"""With `reg_covar=0` a fit that fails for the columns says which ones."""

import dask.array as da
import numpy as np
import pandas as pd
import pytest

from daskgmm import GaussianMixture

RNG = np.random.default_rng(0)
X = RNG.normal(size=(300, 3))
SCIKIT_LEARN = "Fitting the mixture model failed because some components have ill-defined"


def message(rows, k=2, sample_weight=None, **settings):
    mixture = GaussianMixture(k, reg_covar=0, random_state=0, **settings)
    with pytest.raises(ValueError, match=SCIKIT_LEARN) as caught:
        mixture.fit(rows, sample_weight=sample_weight)
    assert not hasattr(mixture, "means_")
    return str(caught.value)


@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag"])
@pytest.mark.parametrize("acceleration", ["auto", None])
def test_a_constant_column_is_named(covariance_type, acceleration):
    rows = np.insert(X, 1, 7.0, axis=1)
    said = message(rows, covariance_type=covariance_type, acceleration=acceleration)
    assert "column 1 has a single value" in said
    assert "reg_covar is 0 (--reg-covar)" in said


@pytest.mark.parametrize("settings", [{"standardise": True}, {"pca": 4}, {"sample_rows": 20}])
def test_columns_are_those_of_the_data_whatever_they_are_mapped_to(settings):
    rows = da.from_array(np.insert(X, [0, 2], [1e8, -3.0], axis=1), chunks=(70, 5))
    assert "column 0 and column 3 have a single value each" in message(rows, **settings)


@pytest.mark.parametrize("covariance_type", ["full", "tied"])
def test_copies_of_columns_are_named_as_the_frame_names_them(covariance_type):
    frame = pd.DataFrame({"a": X[:, 0], "b": X[:, 1], "c": X[:, 2], "d": 5 - 3 * X[:, 0]})
    said = message(frame, covariance_type=covariance_type)
    assert "column 0 ('a') and column 3 ('d') are copies of each other but for scale" in said
    assert "'b'" not in said


def test_each_group_of_columns_that_depend_on_each_other_is_named():
    a, b, c = X.T
    said = message(np.stack([a, b, a - b, c, c], axis=1))
    assert "column 0, column 1 and column 2 are such that some are sums of the others" in said
    assert "column 3 and column 4 are copies" in said


def test_rows_of_weight_zero_do_not_vary_a_column():
    rows, weights = np.insert(X, 1, 7.0, axis=1), np.ones(300)
    rows[:10, 1], weights[:10] = 8.0, 0.0
    assert "column 1 has a single value" in message(rows, sample_weight=weights)


def test_where_only_a_component_is_singular_no_column_is_to_blame():
    rows = np.concatenate([X, np.full((100, 3), 50.0)])
    assert "column" not in message(rows, acceleration=None)


def test_columns_of_which_none_varies_are_all_named():
    assert "column 0 and column 1 have a single value" in message(np.ones((50, 2)), k=1)
