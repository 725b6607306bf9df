"""The bootstrap likelihood-ratio test: what it is of, and what it refuses."""

import dask.array as da
import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy.stats import norm

from daskgmm import BayesianGaussianMixture, GaussianMixture, likelihood_ratio_test
from daskgmm.errors import DataError, SettingError

R = np.random.default_rng(0)
ONE = R.normal(size=(120, 1))
TWO = np.concatenate([ONE[:60], ONE[60:] + 6.0])
FEW = GaussianMixture(init_params="k-means++", acceleration=None, tol=1e-2, reg_covar=1e-12)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def test_two_clusters_are_beyond_chance():
    found = likelihood_ratio_test(TWO, 1, 19, random_state=0, estimator=FEW)
    log_of_one = norm(TWO.mean(), TWO.std()).logpdf(TWO).mean()
    assert found.mixture.score(TWO) == pytest.approx(log_of_one)
    assert found.gain == pytest.approx(found.larger.score(TWO) - log_of_one)
    assert found.statistic == pytest.approx(2 * len(TWO) * found.gain)
    assert found.p_value == 1 / 20
    assert (found.simulated < found.statistic).all()
    assert (found.rows, found.of_rows) == (120, 120)
    assert repr(found).startswith("1 component or 2: the next one adds 0.")
    assert "19 simulated sets of as many rows" in repr(found)


@pytest.mark.slow
def test_one_cluster_is_not_and_the_seed_says_all():
    found = likelihood_ratio_test(ONE, 1, 9, random_state=3, estimator=FEW)
    assert found.p_value == (1 + (found.simulated >= found.statistic).sum()) / 10
    assert found.p_value > 0.1
    again = likelihood_ratio_test(
        da.from_array(ONE, chunks=(40, 1)), 1, 9, random_state=3, estimator=FEW
    )
    assert_array_equal(again.simulated, found.simulated)
    other = likelihood_ratio_test(ONE, 1, 9, random_state=4, estimator=FEW)
    assert (other.simulated != found.simulated).any()


def test_a_sample_of_many_rows():
    x = np.concatenate([np.tile(TWO, (20, 1)), [[np.nan]]])
    done = []
    found = likelihood_ratio_test(
        x, 1, 2, 0, estimator=GaussianMixture(missing="drop"), sample_rows=100,
        progress=lambda *numbers: done.append(numbers),
    )  # fmt: skip
    assert (found.rows, found.of_rows) == (100, 2400)
    assert "100 rows drawn of 2,400" in repr(found)
    assert done == [(1, 2), (2, 2)]


@pytest.mark.parametrize(
    ("estimator", "match"),
    [
        (BayesianGaussianMixture(), "no likelihood"),
        (GaussianMixture(prior="conjugate"), "prior="),
        (GaussianMixture(pca=1), "pca"),
        (GaussianMixture(missing="marginalise"), "missing='drop'"),
        (GaussianMixture(means_init=[[0.0]]), "starts that are given"),
    ],
)
def test_what_has_no_likelihood_ratio(estimator, match):
    with pytest.raises(SettingError, match=match):
        likelihood_ratio_test(ONE, 1, estimator=estimator)


def test_a_class_is_no_estimator():
    with pytest.raises(SettingError, match=r"give an instance: GaussianMixture\(\)"):
        likelihood_ratio_test(ONE, 1, estimator=GaussianMixture)


def test_wrong_numbers():
    with pytest.raises(SettingError, match="n_bootstraps is 0"):
        likelihood_ratio_test(ONE, 1, 0)
    with pytest.raises(SettingError, match=r"n_components is 1\.5"):
        likelihood_ratio_test(ONE, 1.5)
    with pytest.raises(DataError, match="n_components = 3, n_samples = 2"):
        likelihood_ratio_test(ONE[:2], 2)
