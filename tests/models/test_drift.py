"""Drift of new rows: closed forms of one Gaussian, names of what moved, level, invariances."""

from copy import copy

import dask
import dask.array as da
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy.stats import chi2, norm, ttest_1samp
from sklearn.exceptions import ConvergenceWarning

from daskgmm import BayesianGaussianMixture, GaussianMixture
from daskgmm.errors import DataError, SettingError
from daskgmm.models.drift.pieces import MOST_PIECES, Pieces
from daskgmm.models.drift.rao_scott import Means, adjusted, assess

CENTRES = np.array([[0.0, 0.0, 0.0], [6.0, 0.0, 2.0], [0.0, 8.0, -3.0]])
SDS = np.array([1.0, 0.5, 2.0])
WEIGHTS = np.array([0.5, 0.3, 0.2])


def rows(n, seed=0, shift=0.0, factor=1.0):
    """Return rows of which component 2 moves along column 1, in its sds."""
    random = np.random.default_rng(seed)
    labels = random.choice(3, n, p=WEIGHTS)
    z = random.normal(size=(n, 3))
    moved = labels == 2
    z[moved, 1] = z[moved, 1] * factor + shift
    return CENTRES[labels] + z * SDS


@pytest.fixture(scope="module")
def mixture():
    """The mixture that rows are drawn from."""
    return GaussianMixture.from_parameters(
        WEIGHTS, CENTRES, np.broadcast_to(np.diag(SDS**2), (3, 3, 3)), feature_names=["a", "b", "c"]
    )


def frame(x):
    return pd.DataFrame(x, columns=["a", "b", "c"])


def test_of_one_gaussian_it_is_a_test_of_mean_and_variance():
    n = 20_000
    x = np.random.default_rng(3).normal(5.02, 2.0 * 1.01, size=(n, 1))
    found = GaussianMixture.from_parameters([1.0], [[5.0]], [[[4.0]]]).drift(x)
    z = (x[:, 0] - 5.0) / 2.0
    assert found.mean_shifts[0, 0] == pytest.approx(z.mean(), rel=1e-10)
    assert found.sd_ratios[0, 0] == pytest.approx(z.std(), rel=1e-10)
    squared = n * (z.mean() ** 2 + ((z**2).mean() - 1) ** 2 / 2)
    # Pieces tell the variances to 15 %.
    assert found.statistic == pytest.approx(squared / 2, rel=0.2)
    assert np.log(found.p_value) == pytest.approx(chi2.logsf(squared, 2), rel=0.25)
    assert found.p_values[0, 0] == pytest.approx(found.p_value)
    assert np.isnan(found.weight_p_values[0])
    assert found.log_likelihood == pytest.approx(norm(5.0, 2.0).logpdf(x).mean())
    assert found.divergence == pytest.approx((squared - 2) / n / 2, rel=0.1)


def test_a_single_mean_has_the_t_test():
    sums = np.random.default_rng(0).normal(0.3, 1.0, size=(30, 1))
    found = assess(Means.of(np.ones(30), sums), slice(None))
    assert found.p_value == pytest.approx(ttest_1samp(sums[:, 0], 0.0).pvalue, rel=1e-10)


def test_adjusted_p_values_are_holms():
    assert_allclose(adjusted(np.array([0.01, np.nan, 0.04, 0.03])), [0.03, np.nan, 0.06, 0.06])


def test_what_moved_is_named(mixture):
    found = mixture.drift(frame(rows(20_000, 1, shift=0.2)))
    assert found.p_value < 1e-6
    first = found.changes()[0]
    assert (first["component"], first["feature"]) == (2, "b")
    assert first["mean_shift"] == pytest.approx(0.2, abs=0.05)
    assert first["p_value"] < 1e-6
    assert found.component_p_values.argmin() == 2
    assert found.feature_p_values.argmin() == 1
    assert np.delete(found.component_p_values, 2).min() > 0.01
    # Half the squared shift, in the share of the component.
    assert found.divergence == pytest.approx(0.2 * 0.2**2 / 2, rel=0.5)
    text = repr(found)
    assert "Drift of 20,000 rows: 0.00" in text
    assert text.splitlines()[4].split()[:2] == ["2", "b"]
    wider = mixture.drift(frame(rows(20_000, 1, factor=1.2)))
    first = wider.changes()[0]
    assert (first["component"], first["feature"]) == (2, "b")
    assert first["sd_ratio"] == pytest.approx(1.2, abs=0.03)


def test_weights_that_moved_are_named(mixture):
    other = copy(mixture)
    other.weights_ = np.array([0.45, 0.35, 0.2])
    found = other.drift(frame(rows(20_000)))
    assert [each["feature"] for each in found.changes()[:2]] == [None, None]
    assert found.weight_changes[0] == pytest.approx(0.05, abs=0.015)
    assert found.p_values.min() > 0.01


@pytest.mark.slow
def test_rows_as_fitted_have_no_drift():
    """Moments of the rows of a fit are those of the mixture, however wrong that is."""
    x = np.random.default_rng(0).exponential(size=(4000, 2))
    for covariance_type in ("full", "diag"):
        mixture = GaussianMixture(
            2, covariance_type=covariance_type, tol=1e-8, reg_covar=1e-3, max_iter=500
        ).fit(x)
        found = mixture.drift(x)
        assert found.statistic < 1e-3
        assert_allclose(found.mean_shifts, 0.0, atol=1e-3)
    tied = GaussianMixture(2, covariance_type="tied", tol=1e-8, max_iter=500).fit(x)
    assert tied.drift(x).p_value < 0.01
    normal = tied.drift(x[:2000])
    assert tied.drift(x[2000:], reference=normal).p_value > 0.01
    assert tied.drift(x[2000:] * 1.3, reference=normal).p_value < 1e-3


def test_the_error_of_the_fit_is_allowed_for():
    x = rows(4000)
    mixture = GaussianMixture(3, tol=1e-6, random_state=0).fit(x[:2000])
    exact = copy(mixture)
    del exact.fitted_on_
    honest, naive = mixture.drift(x[2000:]), exact.drift(x[2000:])
    assert honest.fitted_rows == 2000
    assert naive.fitted_rows == np.inf
    assert naive.statistic == pytest.approx(2 * honest.statistic, rel=1e-3)
    assert honest.p_value > naive.p_value
    later = mixture.update(x[2000:])
    assert later.drift(x[:2000]).fitted_rows == 4000


def test_neighbours_that_resemble_each_other_are_no_drift(mixture):
    """Rows that come ten times in a row are a tenth of the evidence."""
    one = GaussianMixture.from_parameters([1.0], [[0.0] * 3], [np.eye(3)])
    p_values = np.array(
        [
            one.drift(np.repeat(np.random.default_rng(s).normal(size=(500, 3)), 10, 0)).p_value
            for s in range(60)
        ]
    )
    assert 0 < (p_values < 0.2).mean() < 0.4
    assert p_values.min() > 1e-4


@pytest.mark.slow
def test_the_test_keeps_its_level(mixture):
    p_values = np.array([mixture.drift(frame(rows(500, seed))).p_value for seed in range(150)])
    assert (p_values < 0.05).mean() < 0.12
    assert 0.3 < p_values.mean() < 0.7


def test_weights(mixture):
    x = rows(3000)
    counts = np.random.default_rng(0).integers(0, 3, len(x))
    weighed = mixture.drift(frame(x), sample_weight=counts)
    repeated = mixture.drift(frame(np.repeat(x, counts, axis=0)))
    assert_allclose(weighed.mean_shifts, repeated.mean_shifts, rtol=1e-9)
    assert_allclose(weighed.weight_changes, repeated.weight_changes, rtol=1e-9)
    assert weighed.log_likelihood == pytest.approx(repeated.log_likelihood)
    scaled = mixture.drift(frame(x), sample_weight=1e6 * counts)
    assert scaled.p_value == pytest.approx(weighed.p_value, rel=1e-9)
    assert weighed.rows == (counts > 0).sum()
    wild = frame(np.where(counts[:, None] == 0, 1e150, x))
    narrow = GaussianMixture.from_parameters([1.0], [[0.0] * 3], [1e-12 * np.eye(3)])
    wanted = narrow.drift(x * (counts > 0)[:, None], counts)
    assert narrow.drift(np.asarray(wild), counts).statistic == wanted.statistic


@pytest.mark.parametrize("n", [100, 200])
def test_places_of_rows_without_weight_do_not_matter(mixture, n):
    """They count no more than rows that are left out, for the test and for its least rows."""
    x = rows(n, seed=3)
    none = np.full(5 * n, -1)
    places = [np.r_[:n, none], np.insert(none, 5 * np.arange(n), range(n))]
    found = []
    for order in places:
        weights = (order >= 0).astype(float)
        given = np.where(weights[:, None] > 0, x[order], 1e140)
        try:
            found.append(mixture.drift(frame(given), sample_weight=weights).p_value)
        except DataError as error:
            found.append(str(error))
    try:
        expected = mixture.drift(frame(x)).p_value
    except DataError as error:
        expected = str(error)
    same = expected if isinstance(expected, str) else pytest.approx(expected, rel=1e-9)
    assert found == [same, same]
    assert isinstance(expected, str) == (n < 128 - 8)


def test_gaps_coordinates_and_lazy_rows(monkeypatch):
    x = rows(3000)
    mixture = GaussianMixture(3, random_state=0, tol=1e-5, missing="drop", standardise=True).fit(x)
    holed = np.concatenate([[[np.nan, 0.0, 0.0]], x])
    here = mixture.drift(x)
    assert mixture.drift(holed).p_value == here.p_value
    plain = GaussianMixture(3, random_state=0, tol=1e-5).fit(x)
    assert_allclose(here.mean_shifts, plain.drift(x).mean_shifts, atol=1e-3)
    axes = GaussianMixture(3, random_state=0, tol=1e-5, pca=2).fit(x).drift(x)
    assert axes.features == ("principal axis 0", "principal axis 1")
    monkeypatch.setattr("daskgmm.passes.batches.MIN_BATCH_SECONDS", 1e-6)
    lazy = da.from_array(x, chunks=(100, 3))
    bits = []
    for threads in (1, 3):
        with dask.config.set(num_workers=threads):
            found = mixture.drift(lazy)
        bits.append((found.p_value, found.mean_shifts.tobytes(), found.p_values.tobytes()))
    assert bits[0] == bits[1]
    assert_allclose(found.mean_shifts, here.mean_shifts, rtol=1e-9, atol=1e-12)
    assert 64 <= len(found._pieces.weights) <= MOST_PIECES


def test_pieces_of_many_batches_weigh_about_the_same():
    """However many batches there are, and whatever their lengths."""
    found = Pieces.none(1, 1)
    for number in range(300):
        lengths = np.full(20 + number % 90, 64.0)
        found = found + Pieces(lengths, np.ones((len(lengths), 1, 3)))
        assert len(found.weights) <= MOST_PIECES
    shares = found.weights / found.weights.sum()
    assert 1 / (shares**2).sum() > MOST_PIECES / 3
    assert found.sums[:, 0, 0].sum() == sum(20 + number % 90 for number in range(300))


def test_far_from_zero_and_apart():
    x = rows(2000)
    near = GaussianMixture.from_parameters(WEIGHTS, CENTRES, [np.diag(SDS**2)] * 3)
    far = GaussianMixture.from_parameters(WEIGHTS, CENTRES + 1e8, [np.diag(SDS**2)] * 3)
    assert_allclose(far.drift(x + 1e8).mean_shifts, near.drift(x).mean_shifts, atol=1e-7)


def test_in_plain_values(mixture):
    found = mixture.drift(frame(rows(500))).as_dict()
    assert found["features"] == ["a", "b", "c"]
    assert np.shape(found["mean_shifts"]) == (3, 3)
    assert len(found["changes"]) == 12
    assert "_pieces" not in found


def test_components_without_rows_are_no_numbers():
    empty = GaussianMixture.from_parameters([0.5, 0.5], [[0.0], [1e4]], [[[1.0]], [[1.0]]])
    found = empty.drift(np.random.default_rng(0).normal(size=(500, 1)))
    assert found.weight_changes[0] == pytest.approx(0.5)
    assert np.isnan(found.mean_shifts[1, 0])
    assert found.p_value < 1e-6 or np.isnan(found.p_value)
    assert "Drift" in repr(found)


@pytest.mark.slow
def test_what_has_no_test_says_so(mixture):
    x = rows(1000)
    for other in (
        GaussianMixture(2, noise=True).fit(x),
        BayesianGaussianMixture(2).fit(x),
        GaussianMixture(2, missing="marginalise").fit(x),
        GaussianMixture(2, max_iter=500).fit(x, noise_variance=0.1),
    ):
        with pytest.raises(SettingError, match=r"drift|whole rows"):
            other.drift(x)
    with pytest.raises(DataError, match="128 and more"):
        mixture.drift(frame(x[:100]))
    with pytest.raises(DataError, match="differ less"):
        mixture.drift(frame(x), sample_weight=np.repeat([1e9, 1.0], [5, 995]))
    with pytest.raises(SettingError, match="drift of rows"):
        mixture.drift(frame(x), reference=x)
    other = GaussianMixture(3, random_state=0).fit(x)
    with pytest.raises(SettingError, match="another mixture"):
        other.drift(x, reference=mixture.drift(frame(x)))
    with pytest.raises(DataError, match=r"column 'b'|column 1"):
        mixture.drift(frame(np.where(np.arange(3) == 1, np.inf, x)))


def test_a_fit_that_stopped_early_is_told():
    x = np.random.default_rng(0).normal(size=(40_000, 2)) * [1, 3]
    x[::2] += 2.0
    mixture = GaussianMixture(2, random_state=0, tol=0.1).fit(x)
    assert mixture.drift(x).p_value > 0.5
    mixture.gap_estimate_ = 1e-3
    with pytest.warns(ConvergenceWarning, match="smaller tol"):
        mixture.drift(x)
    mixture.gap_estimate_ = 1e-9
    assert mixture.drift(np.zeros((500, 2))).divergence > 0.1  # no fault of the fit
