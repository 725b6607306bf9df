"""Components merged to clusters by entropy, against Baudry et al.'s definition written out."""

import json
from copy import copy
from itertools import combinations

import dask.array as da
import numpy as np
import pytest
import xarray as xr
import zarr
from numpy.testing import assert_allclose, assert_array_equal
from scipy.integrate import quad
from scipy.special import entr, expit
from scipy.stats import norm
from sklearn.datasets import make_moons
from sklearn.metrics import adjusted_rand_score
from threadpoolctl import threadpool_limits

from daskgmm import BayesianGaussianMixture, GaussianMixture, load_model
from daskgmm.companions import Companions
from daskgmm.errors import DataError, ModelFileError, SettingError
from daskgmm.models.facts.clusters import Merging, merge_by_entropy
from daskgmm.models.predictions.posterior_sample import SampleWork, posterior_sample
from daskgmm.report.model import describe_model
from daskgmm.rows.companions.weights import weights_for
from daskgmm.rows.sources import source_of

R = np.random.default_rng(0)
# A cross of two long clusters, which takes a component an arm, and a round cluster apart from it.
ARMS = np.concatenate([R.normal(size=(500, 2)) * [4, 0.3], R.normal(size=(500, 2)) * [0.3, 4]])
X = np.concatenate([ARMS, R.normal(size=(400, 2)) + 12.0])
TRUE = np.repeat([0, 0, 1], [500, 500, 400])


@pytest.fixture(scope="module")
def mixture():
    return GaussianMixture(3, random_state=0).fit(X)


def brute_force(gamma, weights):
    """Return the sets of each level and their entropies, from all pairs at every level."""
    groups, levels = [{k} for k in range(gamma.shape[1])], []
    while True:
        t = np.stack([gamma[:, sorted(group)].sum(1) for group in groups], axis=1)
        levels.append((groups, -(weights[:, None] * t * np.log(t)).sum() / weights.sum()))
        if len(groups) == 1:
            return levels[::-1]

        def entropy(pair, groups=groups):
            merged = [g for g in groups if g not in pair] + [pair[0] | pair[1]]
            t = np.stack([gamma[:, sorted(group)].sum(1) for group in merged], axis=1)
            return -(weights[:, None] * t * np.log(t)).sum()

        one, other = min(combinations(groups, 2), key=entropy)
        groups = [g for g in groups if g not in (one, other)] + [one | other]


@pytest.mark.parametrize("seed", range(5))
def test_every_merge_lowers_the_entropy_most(seed):
    random = np.random.default_rng(seed)
    gamma = random.dirichlet(np.full(6, 0.3), size=80)
    gamma[random.random(gamma.shape) < 0.4] = 1e-40
    gamma[:, 0] += 1e-12
    gamma /= gamma.sum(1, keepdims=True)
    weights = random.uniform(0.2, 2.0, 80)
    found = merge_by_entropy(gamma.T.copy(), weights)
    assert found.used == 6
    for n, (groups, entropy) in enumerate(brute_force(gamma, weights), start=1):
        clusters = found.clusters(n)
        sets = {frozenset(np.flatnonzero(clusters == c)) for c in range(n)}
        assert sets == {frozenset(group) for group in groups}
        assert found.entropy[n - 1] == pytest.approx(entropy, abs=1e-12)


def test_a_cross_of_two_components_is_one_cluster(mixture):
    assert mixture.merge_components(X) is mixture
    assert mixture.merging_.elbow == 2
    labels = mixture.predict_clusters(X)
    flipped = 1 - labels
    assert max((labels == TRUE).mean(), (flipped == TRUE).mean()) == 1.0
    assert mixture.merging_.rows == len(X)
    assert mixture.merge_components(X, 3).clusters_.tolist() == [0, 1, 2]


def test_certain_components_are_left_alone():
    apart = np.repeat([0.0, 100.0, 200.0, 300.0], 50)[:, None] + R.normal(size=(200, 1))
    found = GaussianMixture(4, random_state=0).fit(apart).merge_components(apart)
    assert_array_equal(found.clusters_, range(4))


@pytest.mark.parametrize("distance", [0.5, 2.0, 4.0])
def test_what_two_clusters_share_is_information_that_rows_lack(distance):
    """Of two equal Gaussians it is the entropy of a bit after white noise, an integral."""
    x = np.linspace(-12.0, 12.0 + distance, 20_001)
    densities = np.stack([norm.pdf(x), norm.pdf(x, distance)])
    found = merge_by_entropy(densities / densities.sum(0), densities.mean(0))

    def entropy(x):
        t = expit(distance * (x - distance / 2))
        return (norm.pdf(x) + norm.pdf(x, distance)) / 2 * (entr(t) + entr(1 - t))

    assert found.shared[0] == pytest.approx(quad(entropy, -12, 16)[0] / np.log(2), rel=1e-6)
    assert found.elbow == (1 if distance < 2.6 else 2)


@pytest.mark.parametrize(
    ("shared", "elbow"),
    [
        ([], 1),
        ([0.6], 1),
        ([0.3], 2),
        ([0.07, 0.0], 2),
        ([0.09, 0.06], 3),
        ([0.1, 0.08, 0.09], 4),
        ([0.7, 0.72, 0.71], 1),
        ([0.64, 0.64, 0.43], 1),
        ([0.6, 0.6, 1e-5, 1e-9, 0.0], 4),
        ([0.2, 0.16, 0.2, 0.06, 0.001], 2),
    ],
)
def test_an_elbow_is_the_widest_gap(shared, elbow):
    k = len(shared) + 1
    merges = np.column_stack([np.zeros(k - 1, np.intp), np.arange(k - 1, 0, -1)])
    assert Merging(merges, np.zeros(k), np.array(shared), k, 10).elbow == elbow


@pytest.mark.slow
@pytest.mark.parametrize(("k", "least"), [(1, 10), (2, 9), (4, 5)])
def test_a_gaussian_of_several_components_is_mostly_one_cluster(k, least):
    """The elbow is where entropy begins to rise less: no test, and it errs with many components."""
    found = []
    for seed in range(10):
        one = np.random.default_rng(seed).normal(size=(600, 2))
        merged = GaussianMixture(k, random_state=0).fit(one).merge_components(one)
        found.append(merged.merging_.elbow)
    assert found.count(1) >= least


def test_clusters_that_touch_are_left_alone():
    touch = np.concatenate([R.normal(size=(300, 2)) + c for c in ([0, 0], [4, 0], [0, 4])])
    found = GaussianMixture(3, random_state=0).fit(touch).merge_components(touch)
    assert found.merging_.elbow == 3


@pytest.mark.parametrize("k", [8, 12])
def test_two_moons_are_two_clusters(k):
    moons, true = make_moons(1000, noise=0.05, random_state=0)
    labels = (
        GaussianMixture(k, random_state=0)
        .fit(moons)
        .merge_components(moons)
        .predict_clusters(moons)
    )
    assert adjusted_rand_score(true, labels) > 0.98


@pytest.mark.slow
def test_components_without_rows_are_no_clusters():
    found = BayesianGaussianMixture(6, random_state=0, max_iter=500).fit(X)
    assert found.n_used_components_ == 3
    merging = found.merge_components(X).merging_
    assert (merging.used, merging.elbow) == (3, 2)
    for n in (2, 3):
        labels = found.merge_components(X, n).predict_clusters(X)
        assert len(np.unique(labels)) == n


def test_components_without_rows_go_where_their_rows_are():
    gamma = np.array([[0.9, 0.0, 0.1], [0.8, 0.0, 0.2], [0.0, 1.0, 0.0], [0.0, 1.0, 0.0]])
    found = merge_by_entropy(gamma.T.copy(), np.ones(4))
    assert_array_equal(found.merges, [[0, 2], [0, 1]])
    assert (found.used, found.elbow) == (2, 2)
    assert merge_by_entropy(np.full((3, 1), 1 / 3), np.ones(1)).elbow == 1


def test_probabilities_of_a_cluster_are_sums(mixture, tmp_path):
    mixture.merge_components(X, 2)
    mixture.predict_to_zarr(X, tmp_path / "out.zarr", ("cluster", "cluster_posterior", "label"))
    gamma = mixture.predict_proba(X)
    sums = np.stack([gamma[:, mixture.clusters_ == c].sum(1) for c in range(2)], axis=1)
    out = zarr.open_group(tmp_path / "out.zarr")
    assert_allclose(out["cluster_posterior"][:], sums, atol=1e-6)
    assert_array_equal(out["cluster"][:], sums.argmax(1))
    assert out["cluster"].attrs["flag_meanings"] == "cluster_0 cluster_1"


def test_a_cluster_may_win_whose_components_do_not():
    """Of 0.3, 0.3 and 0.4 the first two are likelier together."""
    found = GaussianMixture(3, random_state=0).fit(X[:, :1])
    found.means_, found.weights_ = np.zeros((3, 1)), np.array([0.3, 0.3, 0.4])
    found.covariances_ = found.precisions_ = found.precisions_cholesky_ = np.ones((3, 1, 1))
    found.clusters_ = np.array([0, 0, 1])
    row = np.array([[0.0]])
    assert found.predict(row) == [2]
    assert found.predict_clusters(row) == [0]


def test_results_have_the_type_of_what_they_are_made_from(mixture):
    mixture.merge_components(X, 2)
    labels = mixture.predict_clusters(X)
    lazy = mixture.predict_clusters(da.from_array(X, chunks=(300, 2)))
    assert lazy.chunks == ((300, 300, 300, 300, 200),)
    assert_array_equal(lazy, labels)
    grid = xr.DataArray(X.reshape(70, 20, 2), dims=("y", "x", "band"))
    other = GaussianMixture(3, random_state=0).fit(grid, feature_dims=("band",))
    other.merge_components(grid, 2)
    assert other.predict_clusters(grid).dims == ("y", "x")


def test_chunks_do_not_matter_and_samples_are_of_rows(mixture):
    predictor = mixture._predictor()
    lazy = source_of(da.from_array(X, chunks=(173, 2))).checked_rows()
    whole = source_of(X).checked_rows()
    for capacity in (10_000, 200):
        found = [posterior_sample(predictor, rows, capacity=capacity)[0] for rows in (lazy, whole)]
        assert_array_equal(*found)
        assert found[0].shape == (3, min(capacity, len(X)))


@pytest.mark.slow
def test_threads_of_blas_do_not_matter():
    rows = np.random.default_rng(0).normal(size=(60_000, 2))
    found = GaussianMixture(3, random_state=0, max_iter=5, tol=1.0).fit(rows)
    entropies = []
    for threads in (1, 2):
        with threadpool_limits(threads, user_api="blas"):
            entropies.append(found.merge_components(rows).merging_.entropy)
    assert_array_equal(*entropies)


def test_no_batch_holds_the_posteriors_of_all_its_rows(mixture, monkeypatch):
    """Only rows that are drawn have an E-step, and every row is checked."""
    drawn, own = [], SampleWork._posteriors

    def watched(work, sample, place):
        drawn.append(len(sample.x))
        return own(work, sample, place)

    monkeypatch.setattr(SampleWork, "_posteriors", watched)
    predictor = mixture._predictor()
    found, _ = posterior_sample(predictor, source_of(X).checked_rows(), capacity=50)
    assert found.shape == (3, 50)
    assert max(drawn) <= 50
    holed = np.concatenate([X, [[np.inf, 0.0]]])
    for row in range(0, len(holed), 100):
        bad = np.roll(holed, row, axis=0)
        with pytest.raises(DataError, match="infinity"):
            posterior_sample(predictor, source_of(bad).checked_rows(), capacity=50)


def test_samples_of_weighted_rows_and_of_those_that_miss_none_are_full(mixture):
    mostly = np.where(np.arange(len(X))[:, None] % 10, np.nan, X)
    for missing, rows, weights in (
        ("drop", mostly, None),
        ("error", X, (np.arange(len(X)) % 10 == 0).astype(float)),
    ):
        predictor = copy(mixture).set_params(missing=missing)._predictor()
        w = None if weights is None else weights_for(source_of(rows).checked_rows(), weights)
        found, counts = posterior_sample(
            predictor, source_of(rows).checked_rows(), Companions(w), 100
        )
        assert found.shape == (3, 100)
        assert_array_equal(counts, 1.0)


def test_weights_count(mixture):
    weights = R.integers(0, 3, len(X))
    own = mixture.merge_components(X, 2, sample_weight=weights).merging_
    repeated = mixture.merge_components(np.repeat(X, weights, axis=0), 2).merging_
    assert_allclose(own.entropy, repeated.entropy, rtol=1e-12)
    assert_array_equal(own.merges, repeated.merges)
    with pytest.raises(DataError, match="no rows of positive weight"):
        mixture.merge_components(X, 2, sample_weight=np.zeros(len(X)))


@pytest.mark.slow
def test_rows_that_miss_values_and_noise():
    holed = np.concatenate([X, [[np.nan, 0.0]], R.uniform(-60, 60, size=(40, 2))])
    found = GaussianMixture(3, random_state=0, missing="drop", noise=True).fit(holed)
    labels = found.merge_components(holed, 2).predict_clusters(holed)
    assert labels[len(X)] == -2
    assert (labels[len(X) + 1 :] == -1).sum() > 20
    assert (labels[: len(X)] >= 0).mean() > 0.98


def test_rows_are_taken_with_what_they_have():
    holed = X.copy()
    holed[::7, 1] = np.nan
    found = GaussianMixture(3, random_state=0, missing="marginalise").fit(holed)
    found.merge_components(holed, 2)
    gamma = found.predict_proba(holed)
    assert found.merging_.rows == len(X)
    entropy = entr(gamma).sum(1).mean()
    assert found.merging_.entropy[-1] == pytest.approx(entropy, rel=1e-10)
    with pytest.raises(DataError, match="infinity"):
        found.merge_components(np.where(np.isnan(holed), np.inf, holed))


def test_files_have_them(mixture, tmp_path):
    mixture.merge_components(X, 2).save(tmp_path / "m.json")
    read = load_model(tmp_path / "m.json")
    assert_array_equal(read.predict_clusters(X), mixture.predict_clusters(X))
    document = json.loads((tmp_path / "m.json").read_text())
    for wrong in ([0, 1], [0, 2, 2], [0, 0, 0.5], "text", [-1, 0, 1], [0, 1, 10**15]):
        (tmp_path / "w.json").write_text(json.dumps(document | {"clusters": wrong}))
        with pytest.raises(ModelFileError, match="clusters"):
            load_model(tmp_path / "w.json")


@pytest.mark.slow
def test_clusters_of_other_components_are_refused(mixture, tmp_path):
    """Attributes may be set by hand; then the clusters are still those of the old ones."""
    other, four = GaussianMixture(3, random_state=0).fit(X), GaussianMixture(4).fit(X)
    other.merge_components(X, 2)
    for name in ("weights_", "means_", "covariances_", "precisions_", "precisions_cholesky_"):
        setattr(other, name, getattr(four, name))
    assert_array_equal(other.predict(X), four.predict(X))
    with pytest.raises(SettingError, match="call merge_components"):
        other.predict_clusters(X)
    with pytest.raises(SettingError, match="call merge_components"):
        other.predict_to_zarr(X, tmp_path / "out.zarr", ("cluster_posterior",))
    other.set_params(n_components=4).save(tmp_path / "m.json")
    assert_array_equal(load_model(tmp_path / "m.json").predict(X), four.predict(X))
    assert "clusters" not in describe_model(other, "m")
    other.merge_components(X, 2)
    assert len(other.clusters_) == 4


def test_another_order_or_fit_forgets_them(mixture):
    assert hasattr(mixture.merge_components(X, 2), "clusters_")
    assert not hasattr(mixture.sort_components(), "clusters_")
    mixture.merge_components(X, 2)
    assert not hasattr(mixture.step(mixture.moments(X)), "clusters_")
    other = GaussianMixture(3, random_state=0).fit(X).merge_components(X)
    assert not hasattr(other.fit(X), "clusters_")


@pytest.mark.parametrize(
    ("wanted", "message"),
    [(4, "3 components; give 1 to 3"), (0, "give 1 to 3"), (2.0, "whole number"), (True, "whole")],
)
def test_wrong_numbers_are_refused(mixture, wanted, message):
    with pytest.raises(SettingError, match=message):
        mixture.merge_components(X, wanted)


def test_without_a_merge_there_are_none():
    found = GaussianMixture(2, random_state=0).fit(X)
    with pytest.raises(SettingError, match="call merge_components"):
        found.predict_clusters(X)


def test_known_noise_counts():
    """Posteriors are those of rows with their noise, on any chunks, weights beside."""
    random = np.random.default_rng(3)
    x = np.repeat([-2.0, 0.0, 5.0], 60)[:, None] + 0.1 * random.normal(size=(180, 1))
    noise = random.uniform(0.01, 2.0, x.shape)
    weights = random.uniform(0.5, 1.5, len(x))
    mixture = GaussianMixture(3, random_state=0).fit(x)
    gamma = mixture.predict_proba(x, noise_variance=noise)
    expected = merge_by_entropy(gamma.T.copy(), weights)
    lazy = [da.from_array(values, chunks=50) for values in (x, noise)]
    for rows, given in ((x, noise), lazy):
        mixture.merge_components(rows, 2, weights, noise_variance=given)
        assert_allclose(mixture.merging_.entropy, expected.entropy, rtol=1e-12)
        assert_array_equal(mixture.merging_.merges, expected.merges)
    shared = mixture.merge_components(x, 2, noise_variance=0.5).merging_
    gamma = mixture.predict_proba(x, noise_variance=np.full(x.shape, 0.5))
    wide = merge_by_entropy(gamma.T.copy(), np.ones(len(x)))
    assert_allclose(shared.entropy, wide.entropy, atol=1e-15)
    bad = noise.copy()
    bad[7] = -1.0
    with pytest.raises(DataError, match="contains -1 in row 7"):
        mixture.merge_components(x, 2, noise_variance=bad)
