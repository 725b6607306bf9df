"""Ellipses hold what they say, whatever the model; axes say what is on them."""

import numpy as np
import pytest
import xarray as xr
from numpy.testing import assert_allclose
from scipy.stats import chi2

from daskgmm import BayesianGaussianMixture, GaussianMixture, GaussianMixtureClassifier, plot
from daskgmm.drawing.ellipses import ellipse
from daskgmm.drawing.style import colours
from daskgmm.errors import SettingError
from daskgmm.models.pictures.marginals import marginals_of, means_and_deviations, quantiles_of
from daskgmm.plot.shown import shown
from tests.plot.notes import note_of

SHARES = (0.5, 0.9)


def held(over, k, x, share):
    """Return which part of rows is within the ellipse of a component."""
    away = x - over.means[k]
    squared = np.einsum("ni,ij,nj->n", away, np.linalg.inv(over.covariances[k]), away)
    return np.mean(squared <= over.radii(share)[k] ** 2)


def sampled(mixture, columns, k):
    x, numbers = mixture.set_params(random_state=0).sample(60_000)
    return x[numbers == k][:, columns]


TAILS = [
    {},
    {"tail_degrees_": np.array([2.0, 9.0])},
    {"clean_shares_": np.array([0.9, 0.7]), "inflations_": np.array([20.0, 3.0])},
]


@pytest.mark.parametrize("settings", TAILS, ids=["gaussian", "student", "contaminated"])
@pytest.mark.parametrize("columns", [[0, 2], [1]], ids=str)
def test_ellipses_hold_their_share(mixture, settings, columns):
    vars(mixture).update(settings)
    over = marginals_of(mixture, columns)
    for k in range(2):
        x = sampled(mixture, columns, k)
        assert_allclose([held(over, k, x, share) for share in SHARES], SHARES, atol=0.012)


@pytest.mark.parametrize("settings", TAILS, ids=["gaussian", "student", "contaminated"])
def test_quantiles_are_those_of_the_component(mixture, settings):
    vars(mixture).update(settings)
    x = sampled(mixture, [2], 1)[:, 0]
    for share in (0.1, 0.5, 0.75):
        at = 5.0 + np.sqrt(3.0) * quantiles_of(mixture._parameters(), share)[1]
        assert_allclose(np.mean(x <= at), share, atol=0.012)


KINDS = [
    {"covariance_type": "full"},
    {"covariance_type": "tied", "standardise": True},
    {"covariance_type": "diag", "pca": 3},
    {"covariance_type": "spherical"},
    {"covariance_type": "EVE"},
    {"covariance_type": "full", "pca": 2},
    {"covariance_type": "ppca", "n_factors": 1, "standardise": True},
    {"covariance_type": "factor", "n_factors": 1},
    pytest.param({"covariance_type": "mcfa", "n_factors": 1, "pca": 3}, marks=pytest.mark.slow),
]


@pytest.mark.parametrize("settings", KINDS, ids=lambda each: "-".join(map(str, each.values())))
def test_moments_are_those_of_the_columns(rows, settings):
    mixture = GaussianMixture(2, random_state=0, tol=0.1, **settings).fit(rows[:400])
    whole, means = mixture.covariances_in_data_units(), mixture.means_in_data_units()
    over = marginals_of(mixture, [2, 0])
    assert_allclose(over.covariances, whole[:, [[2], [0]], [2, 0]], rtol=1e-9, atol=1e-12)
    assert_allclose(over.means, means[:, [2, 0]], rtol=1e-12)
    found = means_and_deviations(mixture)
    assert_allclose(found[0], means, rtol=1e-12)
    assert_allclose(found[1] ** 2, np.diagonal(whole, axis1=1, axis2=2), rtol=1e-9)


def test_densities_are_those_of_the_marginal(mixture):
    points = np.random.default_rng(0).normal(size=(50, 2)) * 4
    wanted = np.exp(mixture.marginal([0, 2]).score_samples(points))
    assert_allclose(marginals_of(mixture, [0, 2]).densities(points).sum(0), wanted, rtol=1e-10)


def test_the_noise_is_uniform_over_its_box(rows):
    far = np.concatenate([rows, np.random.default_rng(3).uniform(-20, 20, (400, 3))])
    mixture = GaussianMixture(2, noise=True, random_state=0, tol=0.1).fit(far)
    over = marginals_of(mixture, [0])
    x = np.linspace(-25, 25, 5001)[:, None]
    whole = over.densities(x).sum(0) + over.noise_density(x)
    assert_allclose(np.sum(whole) * 0.01, 1.0, atol=2e-3)


def test_the_noise_has_no_density_over_a_constant_column(rows):
    x = np.column_stack([rows[:, 0], np.full(len(rows), 7.0)])
    mixture = GaussianMixture(2, noise=True, random_state=0, max_iter=5, tol=1).fit(x)
    found = marginals_of(mixture, [0, 1])
    assert found.noise_density(x[:3]).tolist() == [0.0] * 3
    assert (found.of([0]).noise_density(x[:3, :1]) > 0).all()
    plot.components(mixture, x, [1])
    plot.components(mixture)


def test_geometry_of_an_ellipse():
    turned = np.array([[np.cos(0.3), -np.sin(0.3)], [np.sin(0.3), np.cos(0.3)]])
    covariance = turned @ np.diag([9.0, 1.0]) @ turned.T
    found = ellipse(np.array([1.0, 2.0]), covariance, 2.0)
    assert_allclose(found.half_axes, (6.0, 2.0))
    assert_allclose(np.tan(np.radians(found.angle)), np.tan(0.3))
    assert_allclose(ellipse(np.zeros(2), np.outer([1, 1], [1, 1]), 1.0).half_axes[1], 0, atol=1e-7)


def test_the_picture_has_two_ellipses_a_component(mixture, rows):
    ax = plot.components(mixture, rows, [0, 1])
    assert len(ax.patches) == 4
    patch = ax.patches[1]
    assert_allclose(patch.get_width(), 2 * np.sqrt(2.0 * chi2.ppf(0.9, 2)))
    assert [text.get_text() for text in ax.texts] == ["0", "1"]
    assert ax.patches[2].get_linewidth() > ax.patches[0].get_linewidth()  # the heavier one
    assert "50 % and 90 %" in note_of(ax)
    assert ax.get_xlim()[0] < patch.get_center()[0] - patch.get_width() / 2
    assert ax.collections[0].get_array().sum() <= 5000
    assert len(ax.collections) == 1  # no scatter of rows


def test_one_feature_is_a_histogram_with_densities(mixture, rows, pyplot):
    ax = pyplot.figure().add_subplot()
    assert plot.components(mixture, rows, 0, bins=40, ax=ax) is ax
    whole = next(line for line in ax.lines if line.get_label() == "mixture")
    x, y = whole.get_data()
    assert_allclose(np.trapezoid(y, x), 1.0, atol=5e-3)
    values, edges, _ = ax.patches[0].get_data()
    assert_allclose(np.sum(values * np.diff(edges)), 1.0, atol=5e-3)
    assert np.abs(np.interp(edges[:-1] + np.diff(edges) / 2, x, y) - values).max() < 0.03


def test_names_and_units():
    random = np.random.default_rng(0)
    temp = xr.DataArray(
        random.normal(size=(40, 30, 2)), {"depth": [5, 10]}, ("y", "x", "depth"), "temp"
    )
    temp.attrs["units"] = "degC"
    mixture = GaussianMixture(2, random_state=0, tol=1).fit(temp.to_dataset())
    mixture.feature_units_ = ("degC",) * len(mixture.feature_units_)
    ax = plot.components(mixture, features=mixture.feature_names_in_[0])
    assert "\N{DEGREE SIGN}C" in ax.get_xlabel()
    assert ax.get_ylabel() == "density (1/\N{DEGREE SIGN}C)"


def test_the_features_that_tell_components_apart_are_drawn(mixture):
    assert shown(mixture, None, most=1).columns == (0,)
    assert shown(mixture, None, most=2).columns == (0, 1)
    assert shown(mixture, [-1, 0]).columns == (2, 0)


def test_classes_and_clusters_have_colours(rows):
    named = np.where(rows[:, 0] > 3, "high", "low").tolist()
    fitted = GaussianMixtureClassifier(2, random_state=0, tol=0.1).fit(rows[:400], named[:400])
    legend = plot.components(fitted, rows, [0, 1]).get_legend()
    assert [text.get_text() for text in legend.get_texts()] == ["high", "low"]
    look = shown(fitted, [0]).look
    assert [look.colours[k] for k in range(4)] == [
        colours(2)[group] for group in fitted.mixture_.clusters_
    ]


def test_components_without_rows_are_left_out(rows):
    mixture = GaussianMixture.from_parameters(
        [0.5, 0.5 - 1e-6, 1e-6], [[0.0, 0.0], [3.0, 3.0], [1e4, 0.0]], [np.eye(2)] * 3
    )
    ax = plot.components(mixture, rows[:, :2])
    assert ax.get_xlim()[1] < 10
    assert "not drawn: 2" in note_of(ax)


def test_a_component_that_is_small_beside_the_noise_is_drawn():
    random = np.random.default_rng(0)
    x = random.uniform(-100, 100, size=(5000, 2))
    x[:25] = random.normal(size=(25, 2)) / 2
    start = {"weights_init": [1.0], "means_init": np.zeros((1, 2)), "precisions_init": [np.eye(2)]}
    mixture = GaussianMixture(1, noise=True, max_iter=10, tol=1, **start).fit(x)
    assert mixture.weights_[0] < 0.01
    assert len(plot.components(mixture, x).patches) == 2
    assert plot.corner(mixture).size == 4
    assert len(plot.profiles(mixture)) == 1


def test_bayesian_and_twenty_components(rows):
    mixture = BayesianGaussianMixture(2, random_state=0, tol=0.1).fit(rows[:400])
    assert plot.components(mixture, features=[0, 1]).collections
    assert len(set(colours(20))) == 20
    many = GaussianMixture.from_parameters(
        np.full(20, 0.05), np.arange(40.0).reshape(20, 2) * 3, [np.eye(2)] * 20
    )
    assert len(plot.components(many).texts) == 20


def test_wide_data_make_no_matrix_of_all_features(monkeypatch):
    x = np.random.default_rng(0).normal(size=(100, 30))
    mixture = GaussianMixture(2, covariance_type="ppca", n_factors=1, random_state=0, tol=10).fit(x)

    def refuse(*arguments):
        raise AssertionError("a matrix of all features")

    monkeypatch.setattr("daskgmm.gaussian.covariance.low_rank.precision.LowRank.matrices", refuse)
    axes = plot.corner(mixture, x, [0, 7, 29])
    assert len(shown(mixture, None, most=8).columns) == 8
    assert axes.shape == (3, 3)
    assert axes[0, 1] is None
    plot.profiles(mixture)
    plot.components(mixture, x)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"features": [0, 1, 2]}, "plot.corner"),
        ({"features": "depth"}, "named"),
        ({"features": [0, 7]}, "does not exist"),
        ({"coverage": (0.5, 1.0)}, "coverage"),
        ({"coverage": "most"}, "coverage"),
        ({"coverage": ()}, "coverage"),
    ],
)
def test_what_cannot_be_drawn(mixture, settings, said):
    with pytest.raises(SettingError, match=said):
        plot.components(mixture, **settings)


def test_other_refusals(mixture, rows):
    with pytest.raises(SettingError, match="load_model"):
        plot.components(rows)
    with pytest.raises(SettingError, match="2 to 12"):
        plot.corner(mixture, features=[0])
    flat = GaussianMixture(2, pca=1, random_state=0).fit(rows)
    with pytest.raises(SettingError, match="Give X"):
        plot.components(flat, features=[0, 1])
    assert plot.components(flat, rows, [0, 1]).patches
