"""Sweeps over sizes where the components of some rows are known."""

import dask
import dask.array as da
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

from daskgmm import GaussianMixture, sweep
from daskgmm.em.survey.labelling import Labelling
from daskgmm.errors import CheckpointError, DataError, SettingError
from daskgmm.gaussian.components.merging import merges
from daskgmm.models.sweeps.request import log_densities
from tests.promises.stopping import Stop, stop_after

N = 400
RANDOM = np.random.default_rng(0)
CENTERS = np.array([[0.0, 0.0], [4.0, 0.0], [0.0, 4.0], [5.0, 5.0]])
Z = RANDOM.integers(0, 4, N)
X = CENTERS[Z] + RANDOM.normal(size=(N, 2)) * [1.0, 0.7]
SOME = np.where((RANDOM.random(N) < 0.1) & (Z < 2), Z, -1)
NOISE = RANDOM.uniform(0.05, 0.3, X.shape)
QUICK = {"n_init": 1, "random_state": 0}

pytestmark = pytest.mark.filterwarnings("ignore::daskgmm.errors.ChoiceWarning")


def by_hand(mixture, noise=None):
    """Mean log-likelihood of rows, those with labels under their component alone."""
    columns = []
    parts = zip(mixture.weights_, mixture.means_, mixture.covariances_, strict=True)
    for weight, mean, covariance in parts:
        if noise is None:
            log = multivariate_normal(mean, covariance).logpdf(X)
        else:
            wide = covariance + np.broadcast_to(noise, X.shape)[:, :, None] * np.eye(X.shape[1])
            z = (X - mean)[:, :, None]
            squares = (z * np.linalg.solve(wide, z)).sum(axis=(1, 2))
            log = -0.5 * (squares + np.linalg.slogdet(2 * np.pi * wide)[1])
        columns.append(np.log(weight) + log)
    joint = np.stack(columns, axis=1)
    known = SOME >= 0
    joint[known] = np.where(np.arange(joint.shape[1]) == SOME[known, None], joint[known], -np.inf)
    return logsumexp(joint, axis=1).mean()


def test_each_size_has_the_likelihood_of_rows_with_labels():
    found = sweep(X, range(2, 6), labels=SOME, **QUICK)
    for place, mixture in enumerate(found.models):
        told = found.table["log_likelihood"][place]
        assert told == pytest.approx(by_hand(mixture), abs=1e-9)
        k = mixture.n_components
        assert found.table["bic"][place] == pytest.approx((6 * k - 1) * np.log(N) - 2 * N * told)
        assert mixture.criteria_["measured"].endswith("with the labels of rows")
        assert mixture.fitted_on_["labelled_rows"] == (SOME >= 0).sum()
    best = found.best()
    assert best.n_components == 4
    # Labels name components, and the classes without labels are found beside.
    assert (np.linalg.norm(best.means_[:2] - CENTERS[:2], axis=1) < 0.4).all()
    assert (np.linalg.norm(best.means_[2:, None] - CENTERS[2:], axis=2).min(axis=0) < 0.4).all()


def test_a_size_ends_where_a_fit_does():
    found = sweep(X, [4], labels=SOME, tol=1e-6, **QUICK).models[0]
    alone = GaussianMixture(4, tol=1e-6, random_state=0).fit(X, labels=SOME)
    assert found.lower_bound_ == pytest.approx(alone.lower_bound_, abs=1e-4)


@pytest.mark.parametrize("noise", [NOISE, NOISE[0]], ids=["each", "shared"])
def test_rows_with_known_noise(noise):
    found = sweep(X, [2, 4], labels=SOME, noise_variance=noise, **QUICK)
    for place, mixture in enumerate(found.models):
        told = found.table["log_likelihood"][place]
        assert told == pytest.approx(by_hand(mixture, noise), abs=1e-9)


@pytest.mark.parametrize("settings", [{"noise": True}, {"tails": "contaminated"}, {"tails": "t"}])
def test_room_for_outliers(settings):
    x = np.vstack([X, RANDOM.uniform(-20, 20, (20, 2))])
    labels = np.append(SOME, np.full(20, -1))
    found = sweep(x, [4], labels=labels, **QUICK, **settings).models[0]
    assert (np.linalg.norm(found.means_[:2] - CENTERS[:2], axis=1) < 0.5).all()
    plain = found.score(x)
    assert found.criteria_["log_likelihood"] < plain
    bound = GaussianMixture(4, random_state=0, **settings).fit(x, labels=labels).lower_bound_
    assert found.criteria_["log_likelihood"] == pytest.approx(bound, abs=0.02)


def test_rows_with_gaps():
    x = X.copy()
    x[::7, 0] = np.nan
    found = sweep(x, [2, 4], labels=SOME, missing="marginalise", **QUICK)
    four = found.models[found.table["n_components"].index(4)]
    alone = GaussianMixture(4, missing="marginalise", random_state=0).fit(x, labels=SOME)
    told = four.criteria_["log_likelihood"]
    assert told == pytest.approx(alone.lower_bound_, abs=0.01)


def test_no_labels_are_a_sweep_without():
    one = sweep(X, [2, 3], labels=np.full(N, np.nan), **QUICK)
    other = sweep(X, [2, 3], **QUICK)
    assert_array_equal(one.table["bic"], other.table["bic"])
    for a, b in zip(one.models, other.models, strict=True):
        assert_array_equal(a.means_, b.means_)


@pytest.mark.parametrize("covariance_type", ["full", "tied"])
@pytest.mark.parametrize("noise", [None, NOISE], ids=["exact", "noisy"])
def test_held_out_rows_far_from_the_component_of_their_label(covariance_type, noise):
    x, wrong = 40 * CENTERS[Z] + (X - CENTERS[Z]), np.where(np.arange(N) % 3, (Z + 1) % 4, -1)
    parameters = (
        GaussianMixture(4, covariance_type=covariance_type, random_state=0)
        .fit(x, labels=Z)
        ._parameters()
    )
    wide = x if noise is None else np.hstack([x, noise])
    found = log_densities(parameters, wide, wrong)
    some = slice(90)  # SciPy takes a millisecond for each
    rows = zip(x[some], wrong[some], (0 * x if noise is None else noise)[some], strict=True)
    covariances = np.broadcast_to(parameters.covariances, (4, 2, 2))
    parts = list(zip(parameters.weights, parameters.means, covariances, strict=True))
    expected = []
    for row, label, own in rows:
        joint = [
            np.log(weight) + multivariate_normal(mean, covariance + np.diag(own)).logpdf(row)
            for weight, mean, covariance in parts
        ]
        expected.append(logsumexp(joint) if label < 0 else joint[label])
    assert min(expected) < -5000
    assert_allclose(found[some], expected, rtol=1e-9)


def test_rare_labels_are_in_the_sample():
    random = np.random.default_rng(1)
    z = random.integers(0, 3, 30_000)
    x = 3 * CENTERS[z] + random.normal(size=(len(z), 2))
    labels = np.full(len(z), -1)
    few = np.concatenate([np.flatnonzero(z == j)[:3] for j in (2, 0, 1)])
    labels[few] = np.repeat(np.arange(3), 3)  # components in another order
    x, labels = da.from_array(x, chunks=(4000, 2)), da.from_array(labels, chunks=5000)
    found = sweep(x, [3, 4], labels=labels, sample_rows=500, **QUICK).models[0]
    assert (np.linalg.norm(found.means_ - 3 * CENTERS[[2, 0, 1]], axis=1) < 0.1).all()


def test_labels_that_the_smallest_size_has_not_are_refused():
    labels = SOME.copy()
    labels[7] = 3
    with pytest.raises(SettingError, match=r"begins at 2, and labels name 4 .* Sweep from 4 on"):
        sweep(X, range(2, 6), labels=labels)
    with pytest.raises(DataError, match=r"labels contains 3 in row 7"):
        sweep(X, [2, 3], labels=labels)


def test_a_sweep_that_was_stopped_goes_on_to_the_same_bits(tmp_path):
    whole = sweep(X, [2, 4], labels=SOME, **QUICK)
    given = {"checkpoint": tmp_path / "c", **QUICK}
    with pytest.raises(Stop):
        sweep(X, [2, 4], labels=SOME, listen=stop_after(1), **given)
    with pytest.raises(CheckpointError, match="label"):
        sweep(X, [2, 4], labels=np.where(SOME == 1, -1, SOME), **given)
    again = sweep(X, [2, 4], labels=SOME, **given)
    for one, other in zip(whole.models, again.models, strict=True):
        assert_array_equal(one.means_, other.means_)
        assert_array_equal(one.covariances_, other.covariances_)
    assert whole.table["bic"] == again.table["bic"]


def test_threads_change_nothing(monkeypatch):
    monkeypatch.setattr("daskgmm.passes.batches.MIN_BATCH_SECONDS", 1e-6)
    x, labels = da.from_array(X, chunks=(50, 2)), da.from_array(SOME, chunks=70)

    def found(threads):
        with dask.config.set(num_workers=threads):
            return sweep(x, [2, 4], labels=labels, sample_rows=60, **QUICK)

    one, other = found(1), found(4)
    assert one.table["log_likelihood"] == other.table["log_likelihood"]
    for a, b in zip(one.models, other.models, strict=True):
        assert_array_equal(a.covariances_, b.covariances_)


def test_components_that_labels_name_keep_their_places():
    parameters = GaussianMixture(4, random_state=0).fit(X)._parameters()
    for named in (2, 3):
        found = merges(parameters, 99, named)
        assert len(found) == sum(j for j in range(named, 4))
        kept = [
            [np.array_equal(each.means[j], parameters.means[j]) for j in range(named)]
            for each in found
        ]
        # At most one of those named took another in.
        assert all(sum(same) >= named - 1 for same in kept)


def test_chances_of_a_sample_are_the_same_for_each_class():
    labelling = Labelling((0, 1, 2), (4, 0, 50, 1000))
    assert labelling.named == 3
    assert_allclose(labelling.chances, [1 / 8, 0.0, 1 / 100, 0.0])
