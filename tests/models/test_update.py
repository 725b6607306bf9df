"""EM that continues with new rows: what it equals, what it never lowers, what it keeps."""

from copy import copy

import dask.array as da
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import multivariate_normal

from daskgmm import BayesianGaussianMixture, GaussianMixture, load_model
from daskgmm.errors import DataError, ModelFileError, ResolutionWarning, SettingError

R = np.random.default_rng(0)
X = np.concatenate([R.normal(size=(200, 3)) * [1, 2, 0.5] + c for c in R.normal(size=(3, 3)) * 3])
R.shuffle(X)
A, B = X[:250], X[250:]
FREE = ("full", "tied", "diag", "spherical", "EII", "EEI")


def fitted(x=X, covariance_type="full", **settings):
    settings = {"tol": 1e-2, "random_state": 0, "reg_covar": 1e-4, **settings}
    settings = {"init_params": "k-means++", **settings}
    return GaussianMixture(3, covariance_type=covariance_type, **settings).fit(x)


@pytest.fixture(scope="module")
def mixture():
    return fitted(A)


def same(one, other, rtol=1e-12):
    for name in ("weights_", "means_", "covariances_"):
        assert_allclose(getattr(one, name), getattr(other, name), rtol=rtol, atol=rtol)


def test_of_one_gaussian_it_is_the_fit_of_all_rows():
    for covariance_type in FREE:
        part = GaussianMixture(covariance_type=covariance_type).fit(A).update(B)
        same(part, GaussianMixture(covariance_type=covariance_type).fit(X))
        assert part.n_seen_ == len(X)


@pytest.mark.parametrize("covariance_type", FREE)
def test_the_parameters_hold_the_moments_of_the_last_pass(covariance_type):
    """Two halves are one step on the whole: the second beside what the first one left."""
    start = fitted(X, covariance_type)
    half = start.step(start.moments(A))
    after = half.update(B)
    gamma, later = start.predict_proba(A), half.predict_proba(B)
    counts = gamma.sum(0) + later.sum(0)
    means = (gamma.T @ A + later.T @ B) / counts[:, None]
    assert_allclose(after.weights_, counts / len(X), rtol=1e-12)
    assert_allclose(after.means_, means, rtol=1e-12)
    both, rows = np.concatenate([gamma, later]), np.concatenate([A, B])
    scatter = np.einsum("nk,ni,nj->kij", both, rows, rows) / counts[:, None, None]
    scatter -= means[:, :, None] * means[:, None, :]
    pooled = np.tensordot(counts / len(X), scatter, 1)
    wanted = {
        "full": scatter + 1e-4 * np.eye(3),
        "tied": pooled + 1e-4 * np.eye(3),
        "diag": np.diagonal(scatter, axis1=1, axis2=2) + 1e-4,
        "spherical": np.trace(scatter, axis1=1, axis2=2) / 3 + 1e-4,
        "EII": np.trace(pooled) / 3 + 1e-4,
        "EEI": np.diag(pooled) + 1e-4,
    }
    assert_allclose(after.covariances_, wanted[covariance_type], rtol=1e-10)


def test_all_forgotten_it_is_a_step_on_the_whole_to_the_bit(mixture):
    step = mixture.step(mixture.moments(A) + mixture.moments(B))
    update = mixture.update(mixture.moments(A) + mixture.moments(B), forget=1)
    rows = mixture.update(X, forget=1)
    for name in ("weights_", "means_", "covariances_", "precisions_cholesky_"):
        assert_array_equal(getattr(update, name), getattr(step, name))
    same(rows, step)


def test_all_forgotten_it_is_a_warm_start(mixture):
    later = mixture.update(X, forget=1, max_iter=50, tol=1e-5)
    warm = copy(mixture).set_params(acceleration=None, warm_start=True, max_iter=50, tol=1e-5)
    warm.lower_bound_ = -np.inf
    warm.fit(X)
    assert (later.converged_, later.n_iter_) == (True, warm.n_iter_)
    assert_allclose(later.lower_bounds_, warm.lower_bounds_, rtol=1e-12)
    same(later, warm, 1e-9)


@pytest.mark.parametrize("covariance_type", FREE)
def test_renewed_moments_are_incremental_em(covariance_type):
    """Neal & Hinton (1998), from a loop by hand: sums of all parts, one of them renewed."""
    parts = np.array_split(X, 4)
    ours = theirs = fitted(X, covariance_type, tol=1.0)
    kept = [ours.moments(part) for part in parts]
    gammas = [theirs.predict_proba(part) for part in parts]
    ours = ours.step(sum(kept))
    theirs = by_hand(theirs, gammas, parts)
    for number in (0, 1, 2, 3, 1):
        new = ours.moments(parts[number])
        ours = ours.update(new, replaces=kept[number])
        kept[number] = new
        gammas[number] = theirs.predict_proba(parts[number])
        theirs = by_hand(theirs, gammas, parts)
        assert ours.n_seen_ == pytest.approx(len(X))
    same(ours, theirs)


def by_hand(mixture, gammas, parts):
    """Return the mixture whose parameters are those of responsibilities."""
    gamma, x = np.concatenate(gammas), np.concatenate(parts)
    counts = gamma.sum(0)
    means = gamma.T @ x / counts[:, None]
    centred = x[:, None] - means
    scatter = np.einsum("nk,nki,nkj->kij", gamma, centred, centred)
    own, pooled = scatter / counts[:, None, None], scatter.sum(0) / len(x)
    reg = mixture.reg_covar
    covariances = {
        "full": own + reg * np.eye(3),
        "tied": pooled + reg * np.eye(3),
        "diag": np.diagonal(own, axis1=1, axis2=2) + reg,
        "spherical": np.trace(own, axis1=1, axis2=2) / 3 + reg,
        "EII": np.asarray(np.trace(pooled) / 3 + reg),
        "EEI": np.diag(pooled) + reg,
    }[mixture.covariance_type]
    return GaussianMixture.from_parameters(
        counts / len(x), means, covariances, covariance_type=mixture.covariance_type
    ).set_params(reg_covar=reg)


def test_a_pass_lowers_no_objective(mixture):
    """The likelihood of new rows, and that of the past with the labels that it had."""

    def objective(current):
        total = current.score(B) * len(B)
        for weight, mean, covariance, own in zip(*stands_for(mixture), strict=True):
            place = list(mixture.means_[:, 0]).index(mean[0])
            normal = multivariate_normal(current.means_[place], current.covariances_[place])
            spread = np.trace(np.linalg.solve(current.covariances_[place], covariance))
            log = np.log(current.weights_[place]) + normal.logpdf(mean) - spread / 2
            total += own * log + 0 * weight
        return total

    values = [objective(mixture)]
    values += [objective(mixture.update(B, max_iter=passes)) for passes in (1, 2, 3, 6)]
    assert (np.diff(values) > 0).all()
    ended = mixture.update(B, max_iter=100, tol=1e-6)
    assert ended.converged_
    assert 3 < ended.n_iter_ < 100
    assert objective(ended) > values[-1] - 0.01


def stands_for(mixture):
    bare = mixture.covariances_ - mixture.reg_covar * np.eye(3)
    return mixture.weights_, mixture.means_, bare, len(A) * mixture.weights_


def test_what_is_forgotten_counts_less():
    shifted = B + np.array([5.0, 0.0, 0.0])
    one = GaussianMixture().fit(A)
    half = one.update(shifted, forget=0.5)
    assert half.n_seen_ == len(A) / 2 + len(B)
    weights = np.repeat([0.5, 1.0], [len(A), len(B)])
    same(half, GaussianMixture().fit(np.concatenate([A, shifted]), sample_weight=weights))


def test_weights_are_repeated_rows(mixture):
    counts = R.integers(0, 3, len(B))
    weighed = mixture.update(B, sample_weight=counts)
    same(weighed, mixture.update(np.repeat(B, counts, axis=0)))
    assert weighed.n_seen_ == len(A) + counts.sum()


def test_a_saved_mixture_goes_on_to_the_same_bits(mixture, tmp_path):
    there = mixture.update(B[:100])
    for number in range(2):
        there.save(tmp_path / "m.json")
        read = load_model(tmp_path / "m.json")
        assert read.n_seen_ == there.n_seen_
        rows = B[100 * (number + 1) : 100 * (number + 2)]
        there, read = there.update(rows), read.update(rows)
        assert_array_equal(read.covariances_, there.covariances_)
        assert_array_equal(read.weights_, there.weights_)
    mixture.save(tmp_path / "m.json")
    first = load_model(tmp_path / "m.json").update(B)
    assert_array_equal(first.means_, mixture.update(B).means_)
    text = (tmp_path / "m.json").read_text()
    assert "n_seen" not in text
    there.save(tmp_path / "m.json")
    (tmp_path / "m.json").write_text(
        (tmp_path / "m.json").read_text().replace('"n_seen": ', '"n_seen": -')
    )
    with pytest.raises(ModelFileError, match="n_seen"):
        load_model(tmp_path / "m.json")


def test_lazy_rows_coordinates_and_gaps(mixture):
    lazy = mixture.update(da.from_array(B, chunks=(90, 3)))
    same(lazy, mixture.update(B))
    mapped = fitted(A, standardise=True, missing="drop")
    holed = np.concatenate([B, [[np.nan, 0.0, 0.0]]])
    same(mapped.update(holed), mapped.update(B))
    assert mapped.update(holed).n_seen_ == len(X)


@pytest.mark.slow
def test_streams():
    stream = GaussianMixture(3, random_state=0, tol=1e-2)
    for part in np.array_split(X, 4):
        found = stream.partial_fit(part)
    assert found is stream
    assert stream.n_seen_ == len(X)
    by_updates = GaussianMixture(3, random_state=0, tol=1e-2).fit(np.array_split(X, 4)[0])
    for part in np.array_split(X, 4)[1:]:
        by_updates = by_updates.update(part)
    assert_array_equal(stream.means_, by_updates.means_)
    assert stream.score(X) > fitted(X, tol=1e-4).score(X) - 0.02
    forgetting = copy(stream).partial_fit(B, forget=0.9)
    assert forgetting.n_seen_ == pytest.approx(0.1 * len(X) + len(B))
    with pytest.raises(ValueError, match="2 features"):
        stream.partial_fit(X[:, :2])
    refitted = stream.fit(A)
    assert not hasattr(refitted, "n_seen_")


@pytest.mark.slow
def test_what_cannot_go_on_says_so(mixture):
    made = GaussianMixture.from_parameters([1.0], [[0.0]], [[[1.0]]])
    rows = np.array([[0.0], [1.0], [3.0]])
    with pytest.raises(SettingError, match="n_seen_ = "):
        made.update(rows)
    made.n_seen_ = 3.0
    assert made.update(rows).weights_[0] == 1
    for settings in ({"equal_weights": True}, {"covariance_type": "VEE"}):
        constrained = fitted(A, **settings)
        with pytest.raises(SettingError, match="forget=1"):
            constrained.update(B)
        assert constrained.update(B, forget=1).n_seen_ == len(B)
        with pytest.raises(SettingError, match="partial_fit"):
            GaussianMixture(**settings).partial_fit(A)
    for settings in ({"prior": "conjugate"}, {"noise": True}, {"missing": "marginalise"}):
        with pytest.raises(SettingError, match="partial_fit"):
            GaussianMixture(**settings).partial_fit(A)
    assert not hasattr(BayesianGaussianMixture(), "partial_fit")


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ({"forget": -0.1}, "forget is -0.1"),
        ({"forget": True}, "forget is True"),
        ({"replaces": X}, "replaces is a ndarray"),
        ({"max_iter": 0}, "max_iter is 0"),
        ({"tol": -1.0}, "tol is -1.0"),
    ],
)
def test_wrong_arguments(mixture, given, match):
    with pytest.raises(SettingError, match=match):
        mixture.update(B, **given)


def test_moments_that_do_not_fit(mixture):
    moments = mixture.moments(B)
    with pytest.raises(SettingError, match="exclude each other"):
        mixture.update(B, 0.5, replaces=moments)
    with pytest.raises(SettingError, match="one step"):
        mixture.update(moments, max_iter=2)
    with pytest.raises(SettingError, match="leave out sample_weight"):
        mixture.update(moments, sample_weight=np.ones(len(B)))
    with pytest.raises(SettingError, match="under another mixture"):
        mixture.update(B).update(moments)
    with pytest.raises(SettingError, match="are not counted in it"):
        mixture.update(B, replaces=moments + moments)
    with pytest.raises(SettingError, match="another kind"):
        mixture.update(B, replaces=fitted(A, "diag").moments(B))
    with pytest.raises(DataError, match="no rows"):
        mixture.update(B, sample_weight=np.zeros(len(B)))


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e9])
def test_the_scale_of_weights_is_none_of_the_rows_that_parameters_hold(tmp_path, scale):
    """Drift allows for the error of the fit, which effective rows have: Kish's of all rows."""
    weights = scale * np.linspace(0.1, 2.0, len(X))
    mixture = GaussianMixture(3, tol=1e-2, random_state=0)
    mixture.partial_fit(A, sample_weight=weights[: len(A)])
    for rows in (len(A), len(X)):
        own = weights[:rows]
        found = mixture.drift(X, weights)
        assert found.fitted_rows == pytest.approx(own.sum() ** 2 / (own**2).sum(), rel=1e-9)
        mixture.save(tmp_path / "m.json")
        assert load_model(tmp_path / "m.json").drift(X, weights).p_value == found.p_value
        mixture = mixture.update(B, sample_weight=weights[len(A) :])
    own = np.concatenate([0.25 * weights[: len(A)], weights[len(A) :]])
    mixture = mixture.step(mixture.moments(A, weights[: len(A)]))
    mixture = mixture.update(B, 0.75, weights[len(A) :])
    assert mixture.drift(X).fitted_rows == pytest.approx(own.sum() ** 2 / (own**2).sum(), rel=1e-9)
    old = mixture.moments(B, weights[len(A) :])
    again = mixture.update(B, sample_weight=weights[len(A) :], replaces=old)
    assert again.n_seen_ == pytest.approx(own.sum(), rel=1e-9)
    mixture.n_seen_ = 7.0  # by hand, where the weights are those of the rows as before
    assert mixture.drift(X).fitted_rows == pytest.approx(7.0 * own.sum() / (own**2).sum())


@pytest.mark.slow
def test_fits_to_other_rows_than_exact_ones_do_not_go_on():
    noisy = GaussianMixture(3, random_state=0, max_iter=500).fit(X, noise_variance=0.01)
    for act in (noisy.moments, noisy.update, noisy.partial_fit):
        with pytest.raises(SettingError, match="noise_variance"):
            act(B)
    with pytest.raises(ValueError, match="noise_variance"):
        noisy.map_adapt(B)
    exact = GaussianMixture(3, random_state=0, max_iter=500).fit(X, noise_variance=0.0)
    same(exact.update(B), GaussianMixture(3, random_state=0, max_iter=500).fit(X).update(B), 1e-9)


def test_labels_of_the_past_stay_in_its_moments():
    """Of rows that are all labelled, the moments of classes are those of the labels."""
    labels = (A[:, 0] > 0).astype(int)
    mixture = GaussianMixture(2, reg_covar=0.0).fit(A, labels=labels)
    later = mixture.update(B)
    gamma = np.concatenate([np.eye(2)[labels], mixture.predict_proba(B)])
    assert_allclose(later.weights_, gamma.mean(0), rtol=1e-12)
    assert_allclose(later.means_, gamma.T @ X / gamma.sum(0)[:, None], rtol=1e-9)
    with pytest.raises(SettingError, match="fitted with labels"):
        mixture.update(A, replaces=mixture.moments(A))


@pytest.mark.parametrize(
    ("settings", "plain", "words"),
    [
        ({"prior": "conjugate"}, {"prior": None}, "fitted with a prior"),
        ({"missing": "marginalise"}, {"missing": "error"}, "counted with gaps"),
    ],
)
def test_the_past_is_that_of_the_fit_and_not_of_settings_since(settings, plain, words, tmp_path):
    x = A.copy()
    x[:5, 0] = np.nan if "missing" in settings else 0.0
    mixture = GaussianMixture(3, random_state=0, tol=0.1, **settings).fit(x).set_params(**plain)
    mixture.save(tmp_path / "m.json")
    for each in (mixture, GaussianMixture.load(tmp_path / "m.json")):
        with pytest.raises(SettingError, match=words):
            each.update(B)
        assert each.update(B, forget=1).n_seen_ == len(B)


def test_no_gaps_are_no_reason(tmp_path):
    mixture = GaussianMixture(3, random_state=0, tol=0.1, missing="marginalise").fit(A)
    assert mixture.set_params(missing="error").update(B).n_seen_ == len(A) + len(B)


@pytest.mark.slow
@pytest.mark.parametrize("changed", [{"n_components": 4}, {"standardise": True}, {"pca": 2}])
def test_a_stream_goes_on_with_the_settings_that_it_began_with(changed):
    stream = GaussianMixture(3, random_state=0).partial_fit(A).set_params(**changed)
    with pytest.raises(SettingError, match=f"{next(iter(changed))}.*begin anew"):
        stream.partial_fit(B)
    assert stream.n_seen_ == len(A)
    assert stream.fit(B).n_features_in_ == 3


FILL = 9.96921e36


@pytest.mark.parametrize("use", ["update", "map_adapt", "moments", "partial_fit"])
def test_rows_far_from_the_mixture_are_told(use, mixture):
    """A fill value among new rows took a mean to 1e34 in silence."""
    x = X[:50].copy()
    x[7, 1] = FILL
    with pytest.warns(ResolutionWarning, match="away from every component .* column 1.*_FillValue"):
        getattr(copy(mixture), use)(x)
    x[7, 1] = 1e4
    getattr(copy(mixture), use)(x)
