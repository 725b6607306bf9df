"""ICL is BIC and twice the entropy of the responsibilities, however the rows come."""

import dask.array as da
import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import logsumexp, xlogy
from scipy.stats import multivariate_normal
from sklearn.exceptions import NotFittedError

from daskgmm import GaussianMixture
from daskgmm.errors import DataError
from daskgmm.models.facts.criteria import n_in_words
from daskgmm.models.predictions import scoring
from tests.oracle.data import STRUCTURES, blobs

N, D, K = 500, 3, 3
X = blobs(N, D, K, separation=1.0)  # overlapping: the entropy counts

SOURCES = {
    "numpy": lambda X: X,
    "list of arrays": lambda X: [X[:30], X[30:]],
    "dask, one row": lambda X: da.from_array(X, chunks=(1, D)),
    "dask, uneven": lambda X: da.from_array(X, chunks=((77, 1, 422), (2, 1))),
    "dask, empty chunks": lambda X: da.concatenate([da.zeros((0, D)), da.from_array(X)]),
    "dask, unknown lengths": lambda X: (lambda A: A[A[:, 0] > -np.inf])(
        da.from_array(X, chunks=(100, D))
    ),
}


@pytest.fixture(scope="module", params=STRUCTURES)
def mixture(request):
    settings = {"covariance_type": request.param, "random_state": 0, "max_iter": 200}
    return GaussianMixture(K, **settings).fit(X)


def whole_covariances(mixture):
    """Return the covariances as matrices of shape (k, d, d)."""
    covariances, eye = mixture.covariances_, np.eye(D)
    return {
        "full": lambda: covariances,
        "tied": lambda: np.broadcast_to(covariances, (K, D, D)),
        "diag": lambda: covariances[:, :, None] * eye,
        "spherical": lambda: covariances[:, None, None] * eye,
    }[mixture.covariance_type]()


def direct(mixture, X):
    """Return log L and the entropy as they are defined, densities from SciPy."""
    pairs = zip(mixture.means_, whole_covariances(mixture), strict=True)
    densities = np.stack([multivariate_normal.logpdf(X, *pair) for pair in pairs], axis=1)
    joint = densities + np.log(mixture.weights_)
    total = logsumexp(joint, axis=1, keepdims=True)
    responsibilities = np.exp(joint - total)
    return total.sum(), -xlogy(responsibilities, responsibilities).sum()


FREE = {
    "full": K - 1 + K * D + K * D * (D + 1) // 2,
    "tied": K - 1 + K * D + D * (D + 1) // 2,
    "diag": K - 1 + 2 * K * D,
    "spherical": K - 1 + K * D + K,
}


@pytest.mark.parametrize("source", SOURCES)
def test_icl_is_what_it_is_defined_as(mixture, source):
    likelihood, entropy = direct(mixture, X)
    assert entropy > 0.05 * N
    expected = -2 * likelihood + FREE[mixture.covariance_type] * np.log(N) + 2 * entropy
    found = mixture.icl(SOURCES[source](X))
    assert type(found) is float
    assert_allclose(found, expected, rtol=1e-10)
    assert_allclose(found, mixture.bic(X) + 2 * entropy, rtol=1e-10)


def test_icl_reads_the_rows_once(mixture, monkeypatch):
    passes = []
    map_unsurveyed = scoring.map_unsurveyed

    def counted(*arguments, **settings):
        passes.append(arguments)
        return map_unsurveyed(*arguments, **settings)

    monkeypatch.setattr(scoring, "map_unsurveyed", counted)
    mixture.icl(da.from_array(X, chunks=(100, D)))
    assert len(passes) == 1


def test_many_tiles(mixture):
    """Also where the natural parameters would cancel, and the other kernel takes over."""
    rows = np.concatenate([np.tile(X, (50, 1)), [[1e9, 0, 0]]])
    likelihood, entropy = direct(mixture, rows)
    expected = -2 * likelihood + FREE[mixture.covariance_type] * np.log(len(rows)) + 2 * entropy
    assert_allclose(mixture.icl(rows), expected, rtol=1e-9)
    assert_allclose(mixture.icl(da.from_array(rows, chunks=(999, D))), expected, rtol=1e-9)


def test_float32_rows_are_scored_in_float64(mixture):
    rows = X.astype(np.float32)
    assert_allclose(mixture.icl(rows), mixture.icl(rows.astype(np.float64)), rtol=1e-12)
    assert_allclose(mixture.bic(rows), mixture.icl(rows) - 2 * direct(mixture, rows)[1], rtol=1e-6)


@pytest.mark.parametrize("covariance_type", STRUCTURES)
def test_one_component_has_no_entropy(covariance_type):
    mixture = GaussianMixture(1, covariance_type=covariance_type).fit(X)
    assert_allclose(mixture.icl(X), mixture.bic(X), rtol=1e-13)


def test_far_apart_components_and_those_without_weight_add_no_entropy(mixture):
    rows = np.concatenate([X[:100], X[:100] + 1e6])
    two = GaussianMixture(2, covariance_type=mixture.covariance_type, random_state=0).fit(rows)
    assert_allclose(two.icl(rows), two.bic(rows), rtol=1e-13)
    two.weights_ = np.array([0.0, 1.0])
    assert_allclose(two.icl(rows), two.bic(rows), rtol=1e-13)


@pytest.mark.slow
def test_equal_components_have_the_largest_entropy():
    mixture = GaussianMixture(4).fit(X)
    mixture.weights_ = np.full(4, 0.25)
    for name in ("means_", "covariances_", "precisions_cholesky_"):
        setattr(mixture, name, np.stack([getattr(mixture, name)[0]] * 4))
    assert_allclose(mixture.icl(X) - mixture.bic(X), 2 * N * np.log(4), rtol=1e-10)


@pytest.mark.slow
def test_icl_takes_as_many_components_as_there_are_clusters():
    """A cluster that is no Gaussian needs two components, which BIC counts and ICL does not."""
    random = np.random.default_rng(0)
    spread = np.where(random.random(4000) < 0.5, 1.0, 2.0)
    rows = random.normal(size=(4000, 2)) * spread[:, None]
    rows[::2, 0] += 40
    models = [GaussianMixture(k, random_state=0, n_init=3).fit(rows) for k in (1, 2, 3, 4)]
    assert np.argmin([model.bic(rows) for model in models]) == 3
    assert np.argmin([model.icl(rows) for model in models]) == 1


def test_refuses_what_the_other_criteria_refuse(mixture):
    with pytest.raises(NotFittedError):
        GaussianMixture().icl(X)
    with pytest.raises(DataError, match="no rows"):
        mixture.icl(da.zeros((0, D)))
    with pytest.raises(ValueError, match="features"):
        mixture.icl(X[:, :2])
    with pytest.raises(DataError, match="MaskedArray"):
        mixture.icl(da.ma.masked_greater(da.from_array(X), 1.0))
    rows = X.copy()
    rows[321, 1] = np.nan
    with pytest.raises(DataError, match="row 321"):
        mixture.icl(da.from_array(rows, chunks=(100, D)))


def test_rows_that_count_are_whole_to_rounding():
    assert n_in_words(49_950.000_000_01, {}) == "n = 49,950 rows"
    assert n_in_words(49_950.2, {}) == "n = 49,950.2 effective rows"
