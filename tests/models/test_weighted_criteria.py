"""Criteria of weighted rows: what n is, at any scale of the weights, and from any source."""

import copy
import json
import math
import warnings

import dask.array as da
import numpy as np
import pandas as pd
import pytest
import xarray as xr
import zarr
from numpy.testing import assert_allclose
from scipy.special import logsumexp, xlogy
from scipy.stats import multivariate_normal
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from daskgmm import GaussianMixture, load_model, open_parquet, sweep
from daskgmm.em.checkpoints.checkpoint import digest_of
from daskgmm.em.events import PassEnded
from daskgmm.errors import CheckpointError, DataError, WeightsWarning
from daskgmm.models.facts.criteria import rows_that_count
from tests.models.test_criteria import FREE, whole_covariances
from tests.models.test_labelled import grid
from tests.models.test_tables import FORMS, NAMES
from tests.oracle.data import STRUCTURES, blobs

pytestmark = pytest.mark.slow

N, D, K = 1200, 3, 3
X = blobs(N, D, K, separation=2.5)
RANDOM = np.random.default_rng(0)
WEIGHTS = RANDOM.uniform(0.5, 3.0, N)
COUNTS = RANDOM.integers(0, 4, N)
METHODS = ["score", "bic", "aic", "icl"]
KISH = WEIGHTS.sum() ** 2 / (WEIGHTS**2).sum()


@pytest.fixture(scope="module", params=STRUCTURES)
def mixture(request):
    settings = {"covariance_type": request.param, "random_state": 0, "max_iter": 300}
    return GaussianMixture(K, tol=1e-6, **settings).fit(X, sample_weight=WEIGHTS)


def log_densities_and_entropies(mixture):
    """Return both of each row, from SciPy's densities."""
    pairs = zip(mixture.means_, whole_covariances(mixture), strict=True)
    joint = np.stack([multivariate_normal.logpdf(X, *pair) for pair in pairs], axis=1)
    joint += np.log(mixture.weights_)
    densities = logsumexp(joint, axis=1)
    shares = np.exp(joint - densities[:, None])
    return densities, -xlogy(shares, shares).sum(axis=1)


def test_criteria_are_what_they_are_defined_as(mixture):
    densities, entropies = log_densities_and_entropies(mixture)
    shares, p = WEIGHTS / WEIGHTS.sum(), FREE[mixture.covariance_type]
    mean, entropy = shares @ densities, shares @ entropies
    for scale in (1.0, 1e-12, 1e12):
        weights = WEIGHTS * scale
        assert_allclose(mixture.score(X, None, weights), mean, rtol=1e-10)
        assert_allclose(mixture.aic(X, weights), 2 * p - 2 * KISH * mean, rtol=1e-10)
        bic = p * math.log(KISH) - 2 * KISH * mean
        assert_allclose(mixture.bic(X, sample_weight=weights), bic, rtol=1e-10)
        assert_allclose(mixture.icl(X, weights), bic + 2 * KISH * entropy, rtol=1e-10)


def test_counts_are_repeated_rows(mixture):
    repeated = np.repeat(X, COUNTS, axis=0)
    assert_allclose(mixture.score(X, sample_weight=COUNTS), mixture.score(repeated), rtol=1e-12)
    for name in METHODS[1:]:
        method = getattr(mixture, name)
        found = method(X, COUNTS, weights_are="counts")
        assert_allclose(found, method(repeated), rtol=1e-12, err_msg=name)


def test_criteria_of_the_fit_are_those_of_its_rows(mixture):
    """A fit driven to 1e-8 nats per row differs by no more, 2 n times over."""
    assert mixture.gap_estimate_ < 1e-8
    assert mixture.criteria_["n"] == pytest.approx(KISH, rel=1e-12)
    for name in ("aic", "bic"):
        found = getattr(mixture, name)(X, WEIGHTS)
        assert mixture.criteria_[name] == pytest.approx(found, abs=2 * KISH * 1e-7)


@pytest.mark.filterwarnings("ignore::daskgmm.errors.DegenerateComponentWarning")
@pytest.mark.parametrize("acceleration", ["auto", None])
def test_reg_covar_takes_nothing_from_the_criteria(acceleration):
    """It lowers `lower_bound_` where acceleration has it; one part in 100 of that is left."""
    mixture = GaussianMixture(
        K, tol=1e-7, max_iter=2000, reg_covar=1e-2, random_state=0, acceleration=acceleration
    ).fit(X, sample_weight=WEIGHTS)
    found = mixture.score(X, sample_weight=WEIGHTS)
    taken = found - mixture.lower_bound_
    assert (taken > 0.01) == (acceleration == "auto")
    assert mixture.criteria_["log_likelihood"] == pytest.approx(found, abs=0.01 * taken + 1e-5)


@pytest.fixture(scope="module")
def on_a_sample(mixture):
    """A mixture whose start is of rows drawn by their weights."""
    settings = {**mixture.get_params(), "sample_rows": 300}
    return GaussianMixture(**settings).fit(X, sample_weight=WEIGHTS)


@pytest.mark.parametrize("scale", [1 / WEIGHTS.sum(), 2.0**40, 1e-12])
def test_a_fit_has_no_scale_of_the_weights(scale, on_a_sample):
    one = copy.deepcopy(on_a_sample)
    other = GaussianMixture(**one.get_params()).fit(X, sample_weight=WEIGHTS * scale)
    if math.frexp(scale)[0] == 0.5:
        assert one.means_.tobytes() == other.means_.tobytes()
    # Of two starts that end alike, rounding may choose: components then have another order.
    assert_allclose(
        one.sort_components().means_, other.sort_components().means_, rtol=1e-4, atol=1e-4
    )
    for name in ("n", "aic", "bic"):
        assert_allclose(one.criteria_[name], other.criteria_[name], rtol=1e-8)


@pytest.mark.parametrize("sample_rows", [None, 300])
def test_a_sweep_has_no_scale_of_the_weights(sample_rows):
    settings = {"n_components": (3, 4), "n_init": 1, "random_state": 0}
    scales = (1.0, 2.0**-40, 1e12)
    first, *others = (
        sweep(X, sample_weight=WEIGHTS * s, sample_rows=sample_rows, **settings) for s in scales
    )
    assert first.table["n"] == pytest.approx([KISH] * len(first.models), rel=1e-12)
    for found, scale in zip(others, scales[1:], strict=True):
        assert found.table["status"] == first.table["status"]
        exact = math.frexp(scale)[0] == 0.5
        # Beyond the three clusters the likelihood is flat, and roundings decide where EM ends.
        sizes = first.table["n_components"]
        alike = [i for i, k in enumerate(sizes) if exact or (k <= 3 and sizes.index(k) == i)]
        for name in ("log_likelihood", "aic", "bic", "icl", "heldout"):
            pair = ([table[name][i] for i in alike] for table in (found.table, first.table))
            assert_allclose(*pair, rtol=0 if exact else 1e-7)
        for one, other in zip(found.models, first.models, strict=True) if exact else ():
            assert one.means_.tobytes() == other.means_.tobytes()


@pytest.fixture(scope="module")
def without_weights():
    return sweep(X, (2, 3, 4), n_init=1, random_state=0)


@pytest.mark.filterwarnings("ignore::daskgmm.errors.ChoiceWarning")  # few sizes
@pytest.mark.parametrize("weight", [1 / N, 100.0])
def test_equal_weights_choose_as_none_do(weight, without_weights):
    expected = without_weights
    said = {"weights_are": "relative"}  # of 100 each one might think otherwise
    found = sweep(X, (2, 3, 4), sample_weight=np.full(N, weight), n_init=1, random_state=0, **said)
    assert found.table["n"] == expected.table["n"] == [N] * len(found.models)
    for name in ("aic", "bic", "icl"):
        assert_allclose(found.table[name], expected.table[name], rtol=1e-7)
        assert found.best(name).n_components == expected.best(name).n_components


def test_weights_that_say_nothing_do_not_add_components():
    """Twice the log-likelihood that fitting gains is p in the mean, with Kish's n alone."""
    gains = []
    for seed in range(40):
        random = np.random.default_rng(seed)
        rows, weights = random.normal(size=(400, 2)), random.lognormal(0, 1, 400)
        found = GaussianMixture(1).fit(rows, sample_weight=weights)
        truth = -0.5 * (rows**2).sum(1) - np.log(2 * np.pi)
        gained = found.score(rows, sample_weight=weights) - weights @ truth / weights.sum()
        gains.append(2 * found.criteria_["n"] * gained)
        assert found.criteria_["n"] < 250
    assert 3.5 < np.mean(gains) < 7.5  # of 5 parameters; with n = 400 it is some 14


@pytest.mark.parametrize("form", FORMS)
def test_a_column_of_weights(form, tmp_path):
    source = FORMS[form](frame(), tmp_path)
    mixture = GaussianMixture(K, random_state=0).fit(source, sample_weight="n")
    rows = frame()[NAMES]
    for name in METHODS:
        method = getattr(mixture, name)
        assert_allclose(method(source, sample_weight="n"), method(rows, sample_weight=WEIGHTS))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.filterwarnings("ignore:X has feature names")
def test_a_column_of_weights_where_features_have_no_names(form, tmp_path):
    mixture = GaussianMixture(K, random_state=0).fit(X)
    source = FORMS[form](frame()[["n", *NAMES]], tmp_path)
    assert_allclose(mixture.bic(source, "n"), mixture.bic(X, WEIGHTS))


def frame():
    return pd.DataFrame(X, columns=NAMES).assign(n=WEIGHTS)


def test_other_columns_are_not_looked_at(tmp_path):
    rows = frame()
    mixture = GaussianMixture(K, random_state=0).fit(rows[NAMES])
    named = rows.assign(station="north")
    expected = mixture.bic(rows[NAMES], WEIGHTS)
    named.to_parquet(tmp_path / "named.parquet")
    for form in ("dask", "polars", "pandas"):
        assert_allclose(mixture.bic(FORMS[form](named, tmp_path), "n"), expected)
    assert_allclose(mixture.bic(str(tmp_path / "named.parquet"), "n"), expected)
    assert_allclose(mixture.bic(open_parquet(tmp_path / "named.parquet", NAMES), "n"), expected)


def test_arrays_of_weights(tmp_path):
    mixture = GaussianMixture(K, random_state=0).fit(X)
    lazy = da.from_array(X, chunks=(170, D))
    stored = zarr.create_array(tmp_path / "w.zarr", data=WEIGHTS, chunks=(333,))
    known = lazy[lazy[:, 0] > -np.inf]
    for rows, weights in [
        (lazy, WEIGHTS),
        (lazy, da.from_array(WEIGHTS, chunks=31)),
        (lazy, stored),
        (lazy, tmp_path / "w.zarr"),
        (X, str(tmp_path / "w.zarr")),
        (X.tolist(), WEIGHTS.tolist()),
        ([X[:10], X[10:]], [WEIGHTS[:10], WEIGHTS[10:]]),
        (known, da.from_array(WEIGHTS, chunks=170)),
        (X.astype(np.float32), WEIGHTS.astype(np.float32)),
    ]:
        for name in METHODS:
            method = getattr(mixture, name)
            expected = method(X, sample_weight=WEIGHTS)
            assert_allclose(method(rows, sample_weight=weights), expected, rtol=1e-6)


@pytest.mark.parametrize("lazy", [False, True])
def test_weights_of_a_grid(lazy):
    ds = grid(3, profile=False, lazy=lazy)
    weight = np.cos(np.deg2rad(ds.y * 2))
    mixture = GaussianMixture(K, random_state=0, missing="drop").fit(ds, sample_weight=weight)
    full = weight.broadcast_like(ds.salt)
    plain, weights = np.stack([ds.temp, ds.salt], axis=-1).reshape(-1, 2), full.values.ravel()
    for name in ("score", "bic", "icl"):
        found = getattr(mixture, name)(ds, sample_weight=weight)
        by_name = getattr(mixture, name)(ds.assign(w=full), sample_weight="w")
        assert_allclose([found, by_name], mixture_of(mixture, name, plain, weights), rtol=1e-9)
    with pytest.raises(DataError, match="no variable of that name"):
        mixture.bic(ds, "w")
    with pytest.raises(DataError, match=r"xarray\.DataArray"):
        mixture.bic(ds, weights)


def mixture_of(mixture, name, rows, weights):
    """Return a criterion of the same mixture for a plain matrix."""
    alone = GaussianMixture(K, missing="drop")
    for each in ("weights_", "means_", "covariances_", "precisions_cholesky_", "n_features_in_"):
        setattr(alone, each, getattr(mixture, each))
    return getattr(alone, name)(rows, sample_weight=weights)


def test_rows_of_weight_zero_are_no_rows(mixture):
    weights = np.where(COUNTS > 0, WEIGHTS, 0.0)
    spoiled = np.where(COUNTS[:, None] > 0, X, 1e140)
    for name in METHODS:
        method = getattr(mixture, name)
        expected = method(X[COUNTS > 0], sample_weight=WEIGHTS[COUNTS > 0])
        assert_allclose(method(spoiled, sample_weight=weights), expected, rtol=1e-12)


def test_missing_values_go_with_their_weights():
    mixture = GaussianMixture(K, missing="drop", random_state=0).fit(X)
    rows, weights = X.copy(), WEIGHTS.copy()
    rows[5, 1] = weights[700] = np.nan
    kept = np.setdiff1d(np.arange(N), [5, 700])
    chunked = da.from_array(rows, chunks=(50, D))
    for name in METHODS:
        method = getattr(mixture, name)
        expected = method(X[kept], sample_weight=WEIGHTS[kept])
        assert_allclose(method(chunked, sample_weight=weights), expected, rtol=1e-12)


@pytest.mark.parametrize("name", METHODS)
def test_weights_that_cannot_be_used(mixture, name):
    method, weights = getattr(mixture, name), WEIGHTS.copy()
    weights[701] = -1
    with pytest.raises(DataError, match="a negative value in row 701"):
        method(da.from_array(X, chunks=(100, D)), sample_weight=weights)
    weights[701] = np.nan
    with pytest.raises(DataError, match="NaN in row 701"):
        method(X, sample_weight=weights)
    with pytest.raises(DataError, match="no rows of positive weight"):
        method(X, sample_weight=np.zeros(N))
    with pytest.raises(DataError, match="one weight for each row"):
        method(X, sample_weight=WEIGHTS[1:])


def test_a_meaning_that_there_is_not(mixture):
    for call in (
        lambda: mixture.bic(X, WEIGHTS, weights_are="sum"),
        lambda: GaussianMixture().fit(X, sample_weight=WEIGHTS, weights_are="sum"),
        lambda: sweep(X, 1, sample_weight=WEIGHTS, weights_are="sum"),
    ):
        with pytest.raises(ValueError, match="weights_are is 'sum'; give 'relative'"):
            call()


MAY_BE_COUNTS = {
    "counts": COUNTS,
    "a histogram": np.r_[1_000_000, np.ones(N - 1)],
    "hundreds": np.full(N, 100, np.uint16),
    "float32": COUNTS.astype(np.float32),
}

NO_COUNTS = {
    "none": None,
    "shares": WEIGHTS / WEIGHTS.sum(),
    "a mask": COUNTS > 1,
    "ones": np.ones(N),
    "areas": WEIGHTS * 1e7,
    "large floats": WEIGHTS * 1e30,
}


@pytest.mark.parametrize("kind", MAY_BE_COUNTS)
def test_whole_numbers_of_which_nothing_is_said(kind):
    weights = MAY_BE_COUNTS[kind]
    mixture = GaussianMixture(1).fit(X, sample_weight=weights)  # the fit is the same anyway
    with pytest.warns(WeightsWarning, match="whole numbers, as counts are"):
        criteria = mixture.criteria_
    with pytest.warns(WeightsWarning, match=f"n is the sum of the weights then, {sum_of(weights)}"):
        assert mixture.bic(X, weights) == pytest.approx(criteria["bic"], rel=1e-9)
    with pytest.warns(WeightsWarning, match="say weights_are='counts'"):
        assert sweep(X, 1, sample_weight=weights).table["n"][0] == criteria["n"] <= N


def sum_of(weights):
    return f"{float(np.sum(weights, dtype=float)):,.10g}"


@pytest.mark.parametrize("said", ["relative", "counts"])
@pytest.mark.parametrize("kind", MAY_BE_COUNTS)
@pytest.mark.filterwarnings("ignore::daskgmm.errors.ChoiceWarning")  # few sizes
def test_what_is_said_is_taken_without_a_word(kind, said, tmp_path):
    weights = np.asarray(MAY_BE_COUNTS[kind], float)
    n = weights.sum() if said == "counts" else weights.sum() ** 2 / (weights**2).sum()
    mixture = GaussianMixture(1).fit(X, sample_weight=weights, weights_are=said)
    found = sweep(X, 1, sample_weight=weights, weights_are=said).best()
    for each in (mixture, found):
        assert each.criteria_["n"] == pytest.approx(n, rel=1e-12)
        # What was said in the fit holds for other rows as well, and in its file.
        each.save(tmp_path / f"{each is found}.json")
        loaded = load_model(tmp_path / f"{each is found}.json")
        assert loaded.criteria_ == each.criteria_
        assert loaded.fitted_on_["weights_are"] == said
        for one in (each, loaded):
            assert one.bic(X, weights) == pytest.approx(each.criteria_["bic"], rel=1e-6)


@pytest.mark.parametrize("kind", NO_COUNTS)
def test_weights_that_are_no_counts(kind):
    weights = NO_COUNTS[kind]
    mixture = GaussianMixture(1).fit(X, sample_weight=weights)
    assert mixture.bic(X, weights) == pytest.approx(mixture.criteria_["bic"], rel=1e-6)
    assert sweep(X, 1, sample_weight=weights).table["n"][0] == mixture.criteria_["n"] <= N


@pytest.mark.parametrize("kind", ["shares", "areas"])
def test_counts_that_are_not_whole(kind):
    weights = NO_COUNTS[kind]
    said = {"weights_are": "counts"}
    mixture = GaussianMixture(1).fit(X, sample_weight=weights, **said)
    for criterion in (
        lambda: mixture.criteria_["n"],
        lambda: sweep(X, 1, sample_weight=weights, **said).table["n"][0],
    ):
        with pytest.warns(WeightsWarning, match=r"not whole.*1,200 rows have a weight"):
            assert criterion() == pytest.approx(weights.sum())
    with pytest.warns(WeightsWarning, match="say weights_are='relative'"):
        mixture.aic(X, weights)


def test_looking_at_all_attributes_warns_of_nothing():
    mixture = GaussianMixture(1).fit(X, sample_weight=COUNTS)
    assert "criteria_" in dir(mixture)  # as shells do that complete names
    picture = make_pipeline(StandardScaler(), mixture)._repr_html_()
    assert "GaussianMixture" in picture
    assert "GaussianMixture" in mixture._repr_html_()


def test_a_fit_without_weights_forgets_the_doubt():
    mixture = GaussianMixture(1).fit(X, sample_weight=COUNTS)
    assert mixture.fit(X).criteria_["n"] == N


def test_saving_and_reading_warn_of_nothing(tmp_path):
    mixture = GaussianMixture(1).fit(X, sample_weight=COUNTS)
    mixture.save(tmp_path / "m.json")
    loaded = load_model(tmp_path / "m.json")
    assert loaded.criteria_["n"] == loaded.fitted_on_["effective_rows"] < N
    with pytest.warns(WeightsWarning):
        loaded.bic(X, COUNTS)


@pytest.mark.filterwarnings("ignore::daskgmm.errors.ChoiceWarning")  # few sizes
def test_histograms_choose_as_their_rows_do():
    """A table of values and how often each occurred, as GROUP BY gives it."""
    random = np.random.default_rng(4)
    values = np.r_[random.normal(0, 3, 20_000), random.normal(14, 3, 20_000)].round()
    distinct, counts = np.unique(values, return_counts=True)
    settings = {"n_components": range(1, 4), "random_state": 0, "reg_covar": 1e-2}
    expected = sweep(values[:, None], **settings)
    said = {"sample_weight": counts, "weights_are": "counts"}
    found = sweep(distinct[:, None], **said, **settings)
    assert found.best().n_components == expected.best().n_components == 2
    assert found.table["n"][0] == 40_000
    assert_allclose(found.best().criteria_["bic"], expected.best().criteria_["bic"], rtol=1e-6)


def test_facts_of_earlier_versions():
    assert rows_that_count({"rows": 500, "weight": 500.0}) == 500
    assert rows_that_count({"rows": 500, "weight": None}) == 500
    # The sum of weights of an unknown scale is no number of rows.
    assert math.isnan(rows_that_count({"rows": 500, "weight": 123.5}))
    assert math.isnan(rows_that_count({}))


def without(path, *names):
    """Make a checkpoint what earlier versions wrote: a survey without these."""
    document = json.loads(path.read_text())
    del document["sha256"]

    def strip(value):
        if isinstance(value, dict):
            if value.get("record") == "Survey":
                for name in names:
                    del value["fields"][name]
            for each in value.values():
                strip(each)
        elif isinstance(value, list):
            for each in value:
                strip(each)

    strip(document["state"])
    path.write_text(json.dumps({**document, "sha256": digest_of(document)}))


@pytest.mark.parametrize("names", [("weighing",), ("weighing", "rounding", "probe")])
@pytest.mark.parametrize("weights", [None, WEIGHTS])
@pytest.mark.parametrize("swept", [False, True])
@pytest.mark.filterwarnings("ignore::daskgmm.errors.ChoiceWarning")  # few sizes
def test_checkpoints_of_earlier_versions(tmp_path, weights, swept, names):
    path, events = tmp_path / "c.ckpt", []

    def run(**settings):
        if swept:
            return sweep(X, (1, 2), sample_weight=weights, random_state=0, **settings).best()
        mixture = GaussianMixture(K, random_state=0)
        return mixture.fit(X, sample_weight=weights, **settings)

    expected = run(checkpoint=path)
    without(path, *names)
    found = run(checkpoint=path, listen=events.append)
    assert found.criteria_ == expected.criteria_
    assert found.fitted_on_ == expected.fitted_on_
    passes = [event.name for event in events if isinstance(event, PassEnded)]
    assert passes.count("survey") == (weights is not None or len(names) > 1)


def test_a_sweep_of_counts_does_not_go_on_as_one_of_shares(tmp_path):
    path = tmp_path / "s.ckpt"
    given = {"n_components": (1, 2), "sample_weight": COUNTS, "random_state": 0}
    sweep(X, checkpoint=path, weights_are="relative", **given)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", WeightsWarning)
        sweep(X, checkpoint=path, **given)  # what is the default may be said
    with pytest.raises(CheckpointError, match="weights_are was 'relative' and is"):
        sweep(X, checkpoint=path, weights_are="counts", **given)


def test_scores_of_scikit_learn_take_weights_third():
    """As its estimators have it: X, y, sample_weight."""
    mixture = GaussianMixture(K, random_state=0).fit(X)
    assert mixture.score(X, None, WEIGHTS) == mixture.score(X, sample_weight=WEIGHTS)
    assert mixture.score(X, np.zeros(N)) == mixture.score(X)


def test_one_dimension_of_samples():
    line = grid(1, profile=False)
    weights = np.random.default_rng(0).random(600)
    mixture = GaussianMixture(K, random_state=0, missing="drop").fit(line)
    named = xr.DataArray(weights, dims="time")
    assert_allclose(mixture.bic(line, weights), mixture.bic(line, named), rtol=1e-12)
