"""Mixtures as densities: against closed forms, numerical integration and brute force."""

import dask.array as da
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.integrate import quad
from scipy.stats import chi2, kstest, multivariate_normal
from sklearn.mixture import GaussianMixture as SklearnMixture

from daskgmm import BayesianGaussianMixture, GaussianMixture, load_model
from daskgmm.errors import SettingError

WEIGHTS = np.array([0.2, 0.3, 0.5])
MEANS = np.array([[0.0, 1.0, -1.0], [2.0, -1.0, 0.5], [-1.5, 0.5, 2.0]])
NAMES = ["a", "b", "c"]


def matrices(k=3, d=3, seed=0):
    half = np.random.default_rng(seed).normal(size=(k, d, 2 * d))
    return half @ half.swapaxes(1, 2) / (2 * d) + 0.2 * np.eye(d)


def three(**settings):
    return GaussianMixture.from_parameters(WEIGHTS, MEANS, matrices(), **settings)


def rows(n=2000, seed=1):
    x, _ = three(random_state=seed).sample(n)
    return np.random.default_rng(seed).permutation(x)


WAYS = {
    "full": {},
    "tied": {"covariance_type": "tied"},
    "diag": {"covariance_type": "diag"},
    "spherical": {"covariance_type": "spherical"},
    "VEV": {"covariance_type": "VEV"},
    "factor": {"covariance_type": "factor", "n_factors": 1},
    "ppca": {"covariance_type": "ppca", "n_factors": 1},
    "standardise": {"standardise": True},
    "pca": {"standardise": True, "pca": 3},
    "t": {"tails": "t"},
    "contaminated": {"tails": "contaminated"},
    "t and standardise": {"tails": "t", "standardise": True},
    "contaminated and tied": {"tails": "contaminated", "covariance_type": "tied"},
    "t and tied": {"tails": "t", "covariance_type": "tied"},
}
"""Every kind of mixture that has a density over columns."""

_fitted = {}


def fitted(way):
    """Return a mixture of three components, of heavy tails where it has room for them."""
    if way not in _fitted:
        x = rows() * [1.0, 20.0, 0.3] + [5.0, 0.0, -2.0]
        if "tails" in WAYS[way]:
            x = x[0] + (x - x[0]) * np.random.default_rng(3).choice(
                [1.0, 3.0], (len(x), 1), p=[0.8, 0.2]
            )
        settings = {"random_state": 1, "max_iter": 30, "tol": 1e-2, **WAYS[way]}
        settings |= {"init_params": "k-means++", "n_init": 1}
        _fitted[way] = GaussianMixture(3, **settings).fit(x)
    return _fitted[way]


def density(mixture, points):
    """Return p(x) in units of the data."""
    found = np.exp(mixture.score_samples(np.atleast_2d(points)))
    own = mixture.coordinates_ if hasattr(mixture, "coordinates_") else None
    return found if own is None else found / np.prod(own.scales)


def spread(mixture, column):
    deviations = np.sqrt(mixture.covariances_in_data_units()[:, column, column])
    means = mixture.means_in_data_units()[:, column]
    return means, deviations


def integral(mixture, function, column):
    """Integrate a function of many values of a column by Gauss's rule about each component."""
    means, deviations = spread(mixture, column)
    steps = np.array([0.0, 0.5, 1, 2, 3, 4, 6, 8, 12, 20, 40, 80, 160, 400])
    ends = np.unique(means + np.concatenate([-steps[::-1], steps])[:, None] * deviations)
    nodes, weights = np.polynomial.legendre.leggauss(12)
    middles, halves = (ends[1:] + ends[:-1]) / 2, np.diff(ends) / 2
    points = middles[:, None] + halves[:, None] * nodes
    return (function(points.ravel()).reshape(points.shape) @ weights) @ halves


def at(point, column, values):
    """Return a row for each value of a column, the others as those of a point."""
    found = np.tile(np.asarray(point, float), (len(values), 1))
    found[:, column] = values
    return found


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("way", WAYS)
def test_marginals_are_integrals(way):
    mixture = fitted(way)
    marginal = mixture.marginal([2, 0])
    for x in (mixture.means_in_data_units()[0], mixture.means_in_data_units()[1:].mean(axis=0)):
        expected = integral(mixture, lambda y, x=x: density(mixture, at(x, 1, y)), 1)
        assert_allclose(density(marginal, [x[2], x[0]])[0], expected, rtol=1e-6)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("way", WAYS)
def test_conditionals_are_ratios_of_densities(way):
    mixture = fitted(way)
    x = mixture.means_in_data_units()
    for given in ([1], [2, 0]):
        rest = [place for place in range(3) if place not in given]
        value = x[:2].mean(axis=0)
        found = mixture.condition({place: value[place] for place in given})
        points = x.copy()
        points[:, given] = value[given]
        ratio = density(mixture, points) / density(mixture.marginal(given), value[given])
        assert_allclose(density(found, points[:, rest]), ratio, rtol=1e-9)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("way", WAYS)
def test_regressions_are_conditional_moments(way):
    mixture = fitted(way)
    x = mixture.means_in_data_units()[:2] + 0.3 * spread(mixture, [0, 1, 2])[1].min()
    found = mixture.regress(x[:, [0, 2]], targets=1)
    assert_allclose(found.log_density, mixture.marginal([0, 2]).score_samples(x[:, [0, 2]]))
    for i, row in enumerate(x):
        given = mixture.condition({0: row[0], 2: row[2]})
        mean = integral(given, lambda y, own=given: y * density(own, y[:, None]), 0)
        square = integral(
            given, lambda y, own=given, m=mean: (y - m) ** 2 * density(own, y[:, None]), 0
        )
        assert_allclose(found.mean[i], mean, rtol=1e-4, atol=1e-6)
        if "t" not in way.split():  # no integral reaches the end of heavy tails
            assert_allclose(found.variance[i], square, rtol=1e-4)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_variances_of_student_components():
    # From the conditional t distribution: scatter nu / (nu - 2), plus that between means.
    mixture, point = fitted("t"), fitted("t").means_[0] + 0.1
    given = mixture.condition({0: point[0], 2: point[2]})
    own = given.covariances_[:, 0, 0] * given.tail_degrees_ / (given.tail_degrees_ - 2)
    mean = given.weights_ @ given.means_[:, 0]
    expected = given.weights_ @ (own + (given.means_[:, 0] - mean) ** 2)
    found = mixture.regress(point[None, [0, 2]], targets=1)
    assert_allclose(found.mean, [mean], rtol=1e-10)
    assert_allclose(found.variance, [expected], rtol=1e-10)


def test_infinite_variances():
    wide = three().marginal([0, 1])
    wide.tail_degrees_ = np.array([1.0, 30.0, 30.0])
    assert_array_equal(wide.regress([[0.0], [1.0]], targets=1).variance, np.inf)


def test_one_gaussian_has_closed_forms():
    mean, matrix = MEANS[0], matrices()[0]
    one = GaussianMixture.from_parameters([1.0], [mean], matrix[None])
    x, y, value = [0, 2], [1], np.array([0.7, -3.0])
    slopes = matrix[np.ix_(y, x)] @ np.linalg.inv(matrix[np.ix_(x, x)])
    expected = mean[y] + slopes @ (value - mean[x])
    left = matrix[np.ix_(y, y)] - slopes @ matrix[np.ix_(x, y)]
    found = one.condition({0: 0.7, 2: -3.0})
    assert_allclose(found.means_, [expected], rtol=1e-8)
    assert_allclose(found.covariances_, [left], rtol=1e-8)
    regression = one.regress(value[None], targets=[1])
    assert_allclose(regression.mean, [expected], rtol=1e-8)
    assert_allclose(regression.variance, left, rtol=1e-8)
    logs = multivariate_normal(mean[x], matrix[np.ix_(x, x)]).logpdf(value)
    assert_allclose(regression.log_density, [logs], rtol=1e-8)
    points = rows(50)
    distances = np.einsum("ni,ij,nj->n", points - mean, np.linalg.inv(matrix), points - mean)
    assert_allclose(one.density_rank(points), chi2.sf(distances, 3), rtol=1e-8)
    level = one.density_level(0.9)
    assert level.lowest == level.log_density == level.highest
    peak = multivariate_normal(mean, matrix).logpdf(mean)
    assert_allclose(level.log_density, peak - chi2.ppf(0.9, 3) / 2, rtol=1e-8)
    assert_allclose(one.modes().points, [mean], rtol=1e-8)


def test_two_columns_against_integrals():
    mixture, value = three().marginal([0, 1]), 0.4
    found = mixture.condition({0: value})

    def line(y):
        return density(mixture, at([value, 0.0], 1, y))

    mass, first = integral(mixture, line, 1), integral(mixture, lambda y: y * line(y), 1)
    assert_allclose(density(mixture.marginal([0]), [[value]]), [mass], rtol=1e-8)
    assert_allclose(found.weights_ @ found.means_[:, 0], first / mass, rtol=1e-8)


def test_far_from_all_components():
    mixture = three()
    found = mixture.condition({0: 1e6})
    assert_allclose(found.weights_.sum(), 1.0)
    widest = matrices()[:, 0, 0].argmax()
    assert_allclose(found.weights_[widest], 1.0)
    regression = mixture.regress([[1e6, 0.0]], targets=2)
    assert np.isfinite(regression.mean).all()
    assert (regression.variance > 0).all()
    assert regression.log_density < -1e9


def test_units_and_offsets_do_not_matter():
    scales, shift = np.array([1e-12, 1.0, 1e12]), np.array([0.0, 1e8, 0.0])
    far = GaussianMixture.from_parameters(
        WEIGHTS, MEANS * scales + shift, matrices() * np.outer(scales, scales)
    )
    x = rows(100)
    expected = three().regress(x[:, :2], targets=2)
    found = far.regress(x[:, :2] * scales[:2] + shift[:2], targets=2)
    assert_allclose(found.mean, expected.mean * 1e12, rtol=1e-5, atol=1e5)
    assert_allclose(found.variance, expected.variance * 1e24, rtol=1e-5)


def test_components_without_weight():
    mixture = GaussianMixture.from_parameters([0.5, 0.5, 0.0], MEANS, matrices())
    others = GaussianMixture.from_parameters([0.5, 0.5], MEANS[:2], matrices()[:2])
    x = rows(20)
    for ours, theirs in zip(mixture.regress(x[:, 1:], 0), others.regress(x[:, 1:], 0), strict=True):
        assert_allclose(ours, theirs, rtol=1e-10)
    assert mixture.modes().of_components[2] == -1
    assert mixture.condition({0: 1.0}).weights_[2] == 0


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("way", WAYS)
def test_files_and_samples_of_what_is_made(way, tmp_path):
    made = fitted(way).condition({1: 3.0})
    made.save(tmp_path / "m.json")
    again = load_model(tmp_path / "m.json")
    x, _ = made.sample(100)
    assert_array_equal(again.score_samples(x), made.score_samples(x))
    assert_array_equal(again.predict(x), made.predict(x))
    repr(made)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_mixtures_without_a_density_over_columns():
    x = rows()
    noisy = GaussianMixture(2, noise=True, random_state=0).fit(x)
    flat = GaussianMixture(2, pca=2, random_state=0).fit(x)
    bayes = BayesianGaussianMixture(n_components=2, random_state=0, max_iter=20).fit(x)
    for mixture, why in ((noisy, "noise"), (flat, "principal axes"), (bayes, "variational")):
        for ask in (
            lambda m: m.marginal([0]),
            lambda m: m.condition({0: 1.0}),
            lambda m: m.regress(x[:, :2], targets=2),
            lambda m: m.divergence(three()),
        ):
            with pytest.raises(ValueError, match=why):
                ask(mixture)
    for mixture in (noisy, bayes):  # as the errors advise
        alone = GaussianMixture.from_parameters(
            mixture.weights_ / mixture.weights_.sum(),
            mixture.means_in_data_units(),
            mixture.covariances_in_data_units(),
        )
        assert alone.condition({0: 1.0}).n_components == 2
    # What does not need columns works: on axes, and with noise.
    for mixture in (noisy, flat):
        assert (
            kstest(
                mixture.density_rank(mixture.sample_lazily(2000, seed=5)[0].compute()), "uniform"
            ).pvalue
            > 0.001
        )
        assert mixture.modes().points.shape[1] == 3
    for ask in (lambda m: m.density_rank(x), lambda m: m.modes(), lambda m: m.density_level(0.5)):
        with pytest.raises(ValueError, match="variational"):
            ask(bayes)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("way", WAYS)
def test_ranks_of_own_rows_are_uniform(way):
    mixture = fitted(way)
    own, _ = mixture.sample_lazily(20_000, seed=7)
    ranks = mixture.density_rank(own.compute(), n_drawn=50_000)
    assert kstest(ranks, "uniform").statistic < 0.015
    level = mixture.density_level(0.95, n_drawn=50_000)
    inside = (mixture.score_samples(own.compute()) >= level.log_density).mean()
    assert abs(inside - 0.95) < 0.006
    assert level.lowest < level.log_density < level.highest


def test_ranks_are_near_the_exact_ones():
    # Three equal components are one Gaussian, whose ranks are known.
    same = GaussianMixture.from_parameters(WEIGHTS, [MEANS[0]] * 3, [matrices()[0]] * 3)
    one = GaussianMixture.from_parameters([1.0], MEANS[:1], matrices()[:1])
    x = rows(500)
    exact, found = one.density_rank(x), same.density_rank(x)
    assert (np.abs(found - exact) < 5 * np.sqrt(exact * (1 - exact) / 100_000) + 2e-5).all()
    level, known = same.density_level(0.9), one.density_level(0.9).log_density
    assert level.lowest < known < level.highest


@pytest.mark.slow
def test_divergence():
    x = rows(50)
    p = GaussianMixture.from_parameters([1.0], MEANS[:1], matrices()[:1])
    q = GaussianMixture.from_parameters([1.0], MEANS[1:2], matrices()[1:2])
    inverse = np.linalg.inv(matrices()[1])
    apart = MEANS[1] - MEANS[0]
    exact = 0.5 * (
        np.trace(inverse @ matrices()[0]) + apart @ inverse @ apart - 3
        + np.linalg.slogdet(matrices()[1])[1] - np.linalg.slogdet(matrices()[0])[1]
    )  # fmt: skip
    assert_allclose(p.divergence(q), [exact, 0.0], rtol=1e-8)
    parts = [GaussianMixture.from_parameters([0.4, 0.6], [m] * 2, [c] * 2)
             for m, c in zip(MEANS[:2], matrices()[:2], strict=True)]  # fmt: skip
    drawn = parts[0].divergence(parts[1])
    assert abs(drawn.value - exact) < 5 * drawn.standard_error < 0.2
    assert_allclose(three().divergence(three()), [0.0, 0.0], atol=1e-14)
    a, b = three().marginal([0]), three().marginal([1])
    p_of, q_of = (lambda y, m=m: density(m, [[y]])[0] for m in (a, b))
    expected = quad(lambda y: p_of(y) * np.log(p_of(y) / q_of(y)), -8, 8, limit=200)[0]
    found = a.divergence(b)
    assert abs(found.value - expected) < 5 * found.standard_error
    scaled = GaussianMixture(1, standardise=True).fit(x)
    plain = GaussianMixture(1).fit(x)
    assert abs(scaled.divergence(plain).value) < 1e-6  # in units of the data


def test_names_and_numbers_of_columns():
    mixture = three(feature_names=NAMES)
    assert list(mixture.marginal(["c", 0]).feature_names_in_) == ["c", "a"]
    assert list(mixture.condition({"b": 1.0}).feature_names_in_) == ["a", "c"]
    assert_array_equal(mixture.marginal([-1]).means_, MEANS[:, 2:])
    for columns, text in (
        (["d"], "no column 'd'; it has 'a', 'b', 'c'"),
        ([3], "Column 3 does not exist"),
        (["a", 0], "'a' is given twice"),
        ([], "No column"),
        ([1.5], "1.5 is not a column"),
    ):
        with pytest.raises(SettingError, match=text):
            mixture.marginal(columns)
    with pytest.raises(SettingError, match="not fitted to named columns"):
        three().marginal(["a"])
    with pytest.raises(SettingError, match="none is left"):
        mixture.condition({"a": 1.0, "b": 2.0, "c": 3.0})
    with pytest.raises(SettingError, match="value of column 'a' is nan"):
        mixture.condition({"a": np.nan})
    with pytest.raises(SettingError, match="regress"):
        mixture.condition({"a": [1.0, 2.0]})
    with pytest.raises(SettingError, match="different columns"):
        mixture.divergence(mixture.marginal(["a"]))


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"weights": [0.5, 0.5]}, r"weights has the shape \(2,\)"),
        ({"weights": [0.5, 0.6, 0.5]}, "sum to 1.6"),
        ({"weights": [0.5, -0.1, 0.6]}, "weight of component 1 is -0.1"),
        ({"means": [[0.0, np.nan, 1.0], *MEANS[1:]]}, "means of component 0 is not finite"),
        ({"means": MEANS[0]}, r"give an array of shape \(k, d\)"),
        ({"covariances": matrices(3, 4)}, "take one of"),
        ({"covariances": np.eye(3)}, "'tied' or 'diag'"),
        ({"covariances": matrices() + np.array([0.0, 1.0, 0.0])}, "component 0 is not symm"),
        ({"covariances": matrices() * [[[1]], [[-1]], [[1]]]}, "component 1 has the variance -"),
        ({"covariances": [*matrices()[:2], np.ones((3, 3))]}, "component 2 is not positive def"),
        ({"covariances": "none"}, "not an array of numbers"),
        ({"covariance_type": "VEV"}, "whose covariances may be any"),
        ({"covariance_type": "diag"}, r"need the shape \(3, 3\)"),
        ({"feature_names": ["a", "b"]}, "a name for each column"),
        ({"standardise": True}, "standardise cannot be given"),
    ],
)  # fmt: skip
def test_parameters_that_make_no_mixture(change, text):
    given = {"weights": WEIGHTS, "means": MEANS, "covariances": matrices(), **change}
    with pytest.raises(SettingError, match=text):
        GaussianMixture.from_parameters(**given)


@pytest.mark.parametrize(
    ("covariances", "kind"),
    [(matrices(), "full"), ([1.0, 2.0, 3.0], "spherical"), (np.ones((3, 2)), "diag"),
     (np.eye(2), "tied")],
)  # fmt: skip
def test_the_structure_is_that_of_the_shape(covariances, kind):
    means = MEANS if kind == "full" else MEANS[:, :2]
    mixture = GaussianMixture.from_parameters(WEIGHTS, means, covariances, random_state=0)
    assert mixture.covariance_type == kind
    reference = mixture.to_sklearn()
    x, _ = mixture.sample(100)
    assert_allclose(mixture.score_samples(x), reference.score_samples(x), rtol=1e-10)
    assert_allclose(mixture.predict_proba(x), reference.predict_proba(x), atol=1e-10)
    mixture.fit(x)  # the settings are those of a fit


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_em_goes_on_from_parameters_that_are_given():
    x = rows()
    began = three()
    by_hand = began.step(began.moments(x))
    went_on = three(warm_start=True, max_iter=1, acceleration=None, reg_covar=1e-6).fit(x)
    assert_allclose(went_on.means_, by_hand.means_, rtol=1e-8)
    assert_allclose(went_on.covariances_, by_hand.covariances_, rtol=1e-8)
    assert began.aic(x) < np.inf
    assert np.isnan(began.criteria_["bic"])


@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize("standardise", [False, True])
def test_rows_that_miss_values_rank_among_what_they_have(k, standardise):
    x = rows(1000) * [1.0, 20.0, 0.3]
    settings = {"missing": "marginalise", "standardise": standardise, "random_state": 0}
    mixture = GaussianMixture(k, **settings, max_iter=100, tol=1e-2).fit(x)
    given = x[:60].copy()
    given[:20, 1], given[20:40, :2], given[40] = np.nan, np.nan, np.nan
    found = mixture.density_rank(given)
    for part, columns in ((slice(20), [0, 2]), (slice(20, 40), [2]), (slice(41, 60), [0, 1, 2])):
        exact = mixture.marginal(columns).density_rank(x[part][:, columns], seed=1)
        error = 0.0 if k == 1 else 5 * np.sqrt(2 * exact * (1 - exact) / 100_000) + 2e-5
        assert (np.abs(found[part] - exact) <= error + 1e-9).all()
    assert np.isnan(found[40])
    lazily = mixture.density_rank(da.from_array(given, chunks=(25, 3)))
    assert_array_equal(lazily.compute(), found)


def test_one_column_is_given_by_itself():
    mixture = three(feature_names=NAMES)
    for one in ("b", 1, -2):
        assert_array_equal(mixture.marginal(one).means_, mixture.marginal(["b"]).means_)
    with pytest.raises(SettingError, match="has no column 'bc'"):
        mixture.marginal("bc")


@pytest.mark.parametrize(
    ("ask", "text"),
    [
        (lambda m: m.divergence(3), "other is a int; give a mixture of daskgmm"),
        (lambda m: m.divergence(SklearnMixture()), "from_sklearn"),
        (lambda m: m.density_level("a"), "mass is 'a'; give a probability"),
        (lambda m: m.density_level(True), "mass is True; give a probability"),
        (lambda m: m.set_params(random_state=-1).sample_lazily(5), "random_state is -1"),
    ],
)
def test_what_cannot_be_asked_is_told(ask, text):
    with pytest.raises(SettingError, match=text):
        ask(three())
