"""The classifier: mixtures of classes."""

import re

import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
import xarray as xr
import zarr
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import multivariate_normal
from sklearn.datasets import load_iris, load_wine
from sklearn.discriminant_analysis import (
    LinearDiscriminantAnalysis,
    QuadraticDiscriminantAnalysis,
)

from daskgmm import GaussianMixture, GaussianMixtureClassifier, load_model, open_parquet
from daskgmm.em.events import Iterated, SweepIterated
from daskgmm.errors import CheckpointError, DataError, ModelFileError, SettingError
from daskgmm.report.data import describe_data
from daskgmm.storage.address import Address

IRIS, Y = load_iris(return_X_y=True)
IRIS = IRIS + np.random.default_rng(0).normal(0, 0.03, IRIS.shape)  # no ties
NAMES = np.array(["setosa", "versicolor", "virginica"])
LABELS = Y * 10 + 5


def of_maximum_likelihood(qda, x, y):
    """Return scikit-learn's analysis with covariances divided by n: before 1.9 it was n - 1."""
    traces = [x[y == c].var(axis=0).sum() for c in range(len(qda.scalings_))]
    qda.scalings_ = [s * trace / s.sum() for s, trace in zip(qda.scalings_, traces, strict=True)]
    return qda


@pytest.mark.parametrize(("x", "y"), [(IRIS, Y), load_wine(return_X_y=True)])
def test_one_gaussian_a_class_is_quadratic_discriminant_analysis(x, y):
    ours = GaussianMixtureClassifier(reg_covar=0).fit(x, y)
    qda = of_maximum_likelihood(QuadraticDiscriminantAnalysis().fit(x, y), x, y)
    assert_allclose(ours.predict_log_proba(x), qda.predict_log_proba(x), rtol=1e-8, atol=1e-8)
    assert_array_equal(ours.predict(x), qda.predict(x))
    densities = np.log(ours.predict_proba(x)) + ours.score_samples(x)[:, None]
    centred = [x - mean for mean in qda.means_]
    for c, (z, axes, s) in enumerate(zip(centred, qda.rotations_, qda.scalings_, strict=True)):
        log = -0.5 * (((z @ axes) ** 2 / s).sum(axis=1) + np.log(2 * np.pi * s).sum())
        seen = densities[:, c] - densities.max(axis=1) > -600
        assert_allclose(densities[seen, c], (log + np.log(qda.priors_[c]))[seen], rtol=1e-8)


def test_a_covariance_that_classes_share_is_linear_discriminant_analysis():
    ours = GaussianMixtureClassifier(covariance_type="tied", reg_covar=0).fit(IRIS, Y)
    lda = LinearDiscriminantAnalysis(solver="lsqr").fit(IRIS, Y)
    assert_allclose(ours.predict_log_proba(IRIS), np.log(lda.predict_proba(IRIS)), atol=1e-8)


@pytest.mark.slow
def test_more_components_and_own_structures_are_not_worse():
    one = GaussianMixtureClassifier().fit(IRIS, Y).score(IRIS, Y)
    two = GaussianMixtureClassifier(2, random_state=0).fit(IRIS, Y)
    assert two.score(IRIS, Y) > one
    assert two.mixture_.clusters_.tolist() == [0, 0, 1, 1, 2, 2]
    sizes = {0: 1, 1: [1, 2], 2: [2]}
    own = GaussianMixtureClassifier(
        sizes, structures="own", covariance_type=["full", "VEI"], random_state=0
    ).fit(IRIS, Y)
    assert own.score(IRIS, Y) >= one
    assert np.bincount(own.mixture_.clusters_)[[0, 2]].tolist() == [1, 2]


@pytest.mark.parametrize("standardise", [False, True])
def test_own_mixtures_of_one_gaussian_are_those_of_all_together(standardise):
    weights = np.random.default_rng(0).uniform(0.5, 2.0, len(Y))
    settings = {"reg_covar": 0, "standardise": standardise}
    whole = GaussianMixtureClassifier(**settings).fit(IRIS, Y, weights)
    own = GaussianMixtureClassifier(structures="own", **settings).fit(IRIS, Y, weights)
    assert_allclose(own.class_prior_, whole.class_prior_, rtol=1e-12)
    assert_allclose(own.predict_log_proba(IRIS), whole.predict_log_proba(IRIS), atol=1e-7)


def test_rows_of_unknown_class_count():
    random = np.random.default_rng(0)
    known = random.random(len(Y)) < 0.15
    some = np.where(known, LABELS, -1)
    few = GaussianMixtureClassifier(covariance_type="tied").fit(IRIS[known], LABELS[known])
    all_rows = GaussianMixtureClassifier(covariance_type="tied").fit(IRIS, some)
    assert all_rows.classes_.tolist() == [5, 15, 25]
    assert all_rows.class_count_.sum() == known.sum()
    assert all_rows.score(IRIS, LABELS) >= few.score(IRIS, LABELS)
    floats = np.where(known, LABELS, np.nan)
    names = np.where(known, NAMES[Y], None)
    for y, classes in ((floats, [5, 15, 25]), (names, NAMES), (pd.Series(names), NAMES)):
        again = GaussianMixtureClassifier(covariance_type="tied").fit(IRIS, y)
        assert again.classes_.tolist() == list(classes)
        assert_array_equal(again.mixture_.means_, all_rows.mixture_.means_)


def test_labels_of_which_minus_one_is_a_class():
    two = np.where(Y[:100] == 0, -1, 1)
    found = GaussianMixtureClassifier().fit(IRIS[:100], two)
    assert found.classes_.tolist() == [-1, 1]
    assert found.score(IRIS[:100], two) == 1.0


def test_priors_reweigh_predictions():
    plain = GaussianMixtureClassifier().fit(IRIS, Y)
    told = GaussianMixtureClassifier(priors={0: 1, 1: 8, 2: 1}).fit(IRIS, Y)
    set_later = GaussianMixtureClassifier().fit(IRIS, Y)
    set_later.class_prior_ = [0.1, 0.8, 0.1]
    by_hand = plain.predict_proba(IRIS) * [0.1, 0.8, 0.1]
    by_hand /= by_hand.sum(axis=1, keepdims=True)
    for each in (told, set_later):
        assert_allclose(each.predict_proba(IRIS), by_hand, rtol=1e-9, atol=1e-15)
    set_later.class_prior_ = [0.5, 0.5]
    with pytest.raises(SettingError, match="give 3 numbers"):
        set_later.predict(IRIS)


@pytest.mark.parametrize("kind", [np.str_, str, np.int64])
def test_a_list_of_single_values_is_an_array_of_them(kind):
    y = [kind(label) for label in LABELS]
    found = GaussianMixtureClassifier().fit(IRIS, y)
    expected = GaussianMixtureClassifier().fit(IRIS, np.array(y))
    assert found.classes_.tolist() == expected.classes_.tolist()
    assert (found.predict(IRIS) == expected.predict(IRIS)).all()


def test_lazy_labelled_and_stored_rows_and_labels(tmp_path):
    expected = GaussianMixtureClassifier(reg_covar=0).fit(IRIS, LABELS)
    proba, classes = expected.predict_proba(IRIS), expected.predict(IRIS)
    lazy = da.from_array(IRIS, chunks=(40, 4))
    stored = zarr.create_array(str(tmp_path / "y.zarr"), shape=(150,), dtype="i2", chunks=(60,))
    stored[:] = LABELS
    frame = pd.DataFrame(IRIS, columns=list("abcd")).assign(kind=LABELS)
    cube = xr.DataArray(IRIS.reshape(10, 15, 4), dims=("y", "x", "band"), name="r")
    grid = xr.DataArray(LABELS.reshape(10, 15), dims=("y", "x"))
    given = [
        (lazy, da.from_array(LABELS, chunks=50), lazy),
        (lazy, str(tmp_path / "y.zarr"), lazy),
        (dd.from_pandas(frame, npartitions=3), "kind", dd.from_pandas(frame, npartitions=3)),
        (frame, "kind", frame.drop(columns="kind")),
        (cube.chunk(x=4), grid, cube),
    ]
    for x, y, rows in given:
        how = {"feature_dims": ("band",)} if x is given[-1][0] else {}
        found = GaussianMixtureClassifier(reg_covar=0).fit(x, y, **how)
        assert found.classes_.tolist() == [5, 15, 25]
        if hasattr(rows, "dask"):
            assert hasattr(found.predict(rows), "compute")
        assert_allclose(np.ravel(np.asarray(found.predict(rows))), classes)
        assert_allclose(
            np.reshape(np.asarray(found.predict_proba(rows)), (150, 3)), proba, rtol=1e-7
        )
    assert found.predict(cube).dims == ("y", "x")
    assert found.predict(cube).attrs == {
        "long_name": "most probable class",
        "flag_values": [5, 15, 25],
        "flag_meanings": "5 15 25",
    }
    placed = cube.assign_coords(y=("y", np.arange(10.0), {"units": "m"}))
    assert found.predict(placed).y.attrs == {"units": "m"}
    assert found.score(cube, grid) == np.mean(classes == LABELS)
    assert expected.score(lazy, da.from_array(LABELS, chunks=50)) == np.mean(classes == LABELS)


@pytest.fixture
def stored(tmp_path):
    """Parquet of rows, of which every seventh has no name, with weights and a text beside."""
    names = pd.Series(NAMES[Y], dtype=object)
    names[::7] = None
    frame = pd.DataFrame(IRIS, columns=list("abcd")).assign(kind=names, w=1.0 + Y)
    frame.to_parquet(tmp_path / "p.parquet", row_group_size=40)
    return frame, str(tmp_path / "p.parquet")


def test_names_in_a_column_of_parquet(stored):
    frame, path = stored
    x, y = frame[list("abcd")], frame.kind
    expected = GaussianMixtureClassifier(2, random_state=0).fit(x, y, frame.w)
    for rows in (path, open_parquet(path, list("abcd"))):
        found = GaussianMixtureClassifier(2, random_state=0).fit(rows, "kind", "w")
        assert found.feature_names_in_.tolist() == list("abcd")
        assert_array_equal(found.classes_, NAMES)
        assert_array_equal(found.class_count_, expected.class_count_)
        assert_allclose(found.mixture_.means_, expected.mixture_.means_, rtol=1e-12)
        assert found.score(rows, "kind", "w") == expected.score(x, y, frame.w)
    with pytest.raises(DataError, match="holds text, and components have numbers"):
        GaussianMixture(3).fit(path, labels="kind")


def test_names_and_gaps():
    x, y = IRIS.copy(), NAMES[Y]
    x[[3, 80], 1] = np.nan
    found = GaussianMixtureClassifier(missing="drop").fit(x, y)
    seen = found.predict(x)
    assert [seen[3], seen[80]] == [None, None]
    assert found.predict(IRIS).dtype.kind == "U"
    assert np.mean(found.predict(IRIS) == y) > 0.97
    lazy = found.predict(da.from_array(x, chunks=(50, 4)))
    assert_array_equal(lazy.compute(), seen)
    assert found.score(IRIS, y) == np.mean(found.predict(IRIS) == y)


@pytest.fixture(scope="module")
def gaps():
    """Rows of which the fourth and the last miss a value."""
    x = IRIS.copy()
    x[[3, 149], 1] = np.nan
    return x


WORDS = np.array(["iris setosa", "versicolor", "virginica"])


def test_names_are_written(tmp_path, gaps):
    found = GaussianMixtureClassifier(missing="drop").fit(gaps, WORDS[Y])
    expected, proba = found.predict(gaps), found.predict_proba(gaps)
    written = found.predict_to_zarr(gaps, tmp_path / "p.zarr", ("label", "posterior"))
    dataset = xr.open_zarr(tmp_path / "p.zarr", consolidated=False)
    assert dataset.label.attrs == {
        "long_name": "most probable class",
        "flag_values": [-1, 0, 1, 2],
        "flag_meanings": "missing iris_setosa versicolor virginica",
        "classes": WORDS.tolist(),
    }
    assert_array_equal(np.append(WORDS.astype(object), None)[dataset.label], expected)
    assert_allclose(dataset.posterior.sel(class_label=WORDS), proba, atol=1e-6)
    counts = [(expected == word).sum() for word in WORDS]
    assert (written.rows, written.missing, written.counts.tolist()) == (150, 2, counts)
    frame = pd.DataFrame(gaps, columns=list("abcd"))
    again = found.predict_to_parquet(frame, tmp_path / "p", ("posterior", "label", "log_density"))
    assert (again.rows, again.missing, again.counts.tolist()) == (150, 2, counts)
    table = pd.read_parquet(tmp_path / "p")
    names = [f"posterior_{word}" for word in WORDS]
    assert table.columns.tolist() == [*names, "label", "log_density"]
    assert_array_equal(table.label.astype(object).where(table.label.notna(), None), expected)
    assert_allclose(table[names], proba, atol=1e-6)


@pytest.mark.parametrize("classes", [[5, 15, 250], [-1, 1, 2]], ids=str)
def test_numbers_are_written_as_they_are(tmp_path, gaps, classes):
    found = GaussianMixtureClassifier(missing="drop").fit(gaps, Y)
    found.classes_ = np.array(classes)
    expected = found.predict(gaps)
    assert expected[3] == (-2 if -1 in classes else -1)
    found.predict_to_zarr(gaps, tmp_path / "p.zarr", ["label", "posterior"], dtype="uint8")
    dataset = xr.open_zarr(tmp_path / "p.zarr", consolidated=False)
    assert_array_equal(dataset.label, expected)
    assert dataset.label.attrs["flag_values"] == [expected[3], *classes]
    assert dataset.class_label.to_numpy().tolist() == classes
    frame = pd.DataFrame(gaps, columns=list("abcd"))
    written = found.predict_to_parquet(frame, tmp_path / "p", ["label", "posterior"])
    assert written.counts.tolist() == [(expected == c).sum() for c in classes]
    table = pd.read_parquet(tmp_path / "p")
    assert_array_equal(table.label, expected)
    assert f"posterior_{classes[0]}" in table


def test_a_run_goes_on_with_the_same_names_alone(tmp_path, monkeypatch):
    found = GaussianMixtureClassifier().fit(IRIS, NAMES[Y])
    with monkeypatch.context() as patch:
        patch.setattr("daskgmm.models.writers.zarr_target.ZarrTarget._put_in_place", killed)
        with pytest.raises(KeyboardInterrupt):
            found.predict_to_zarr(IRIS, tmp_path / "p.zarr")
    found.classes_ = np.array(["a", "b", "c"])
    with pytest.raises(FileExistsError, match="with other outputs"):
        found.predict_to_zarr(IRIS, tmp_path / "p.zarr")
    found.predict_to_zarr(IRIS, tmp_path / "p.zarr", overwrite=True)
    assert zarr.open_group(tmp_path / "p.zarr")["label"].attrs["classes"] == ["a", "b", "c"]


def killed(target):
    raise KeyboardInterrupt


def test_predictions_of_frames_and_grids_are_called_by_class():
    found = GaussianMixtureClassifier().fit(IRIS, NAMES[Y])
    frame = dd.from_pandas(pd.DataFrame(IRIS), npartitions=2)
    assert found.predict(frame).name == "label"
    assert found.predict_proba(frame).compute().columns.tolist() == [
        f"posterior_{n}" for n in NAMES
    ]
    grid = xr.DataArray(IRIS, dims=("y", "band"))
    found.mixture_.feature_dims_ = ("band",)
    assert found.predict(grid).name == "label"
    proba = found.predict_proba(grid)
    assert (proba.name, proba.class_label.to_numpy().tolist()) == ("posterior", NAMES.tolist())


def test_predictions_say_their_classes(tmp_path):
    found = GaussianMixtureClassifier().fit(IRIS, WORDS[Y])
    found.predict_to_zarr(IRIS, tmp_path / "p.zarr", ["label", "posterior"])
    found.predict_to_parquet(pd.DataFrame(IRIS, columns=list("abcd")), tmp_path / "p.parquet")
    for name in ("p.zarr", "p.parquet"):
        said = describe_data(Address.of(tmp_path / name))
        assert re.search("classes +iris setosa, versicolor, virginica", said)
        assert re.search("rows +150", said)


@pytest.mark.parametrize("y", [LABELS.astype("i2"), NAMES[Y]])
def test_files_keep_the_classifier_to_the_bit(tmp_path, y):
    found = GaussianMixtureClassifier(2, random_state=0, priors=[1, 2, 1]).fit(IRIS, y)
    found.save(tmp_path / "c.json")
    again = GaussianMixtureClassifier.load(tmp_path / "c.json")
    assert_array_equal(again.predict(IRIS), found.predict(IRIS))
    assert_array_equal(again.predict_proba(IRIS), found.predict_proba(IRIS))
    assert again.classes_.dtype == found.classes_.dtype
    assert again.get_params()["n_components"] == 2
    assert isinstance(load_model(tmp_path / "c.json"), GaussianMixture)
    found.mixture_.save(tmp_path / "m.json")
    with pytest.raises(ModelFileError, match="without classes"):
        GaussianMixtureClassifier.load(tmp_path / "m.json")


@pytest.mark.parametrize(
    ("y", "settings", "error", "text"),
    [
        (None, {}, DataError, "requires y to be passed"),
        (np.full(150, np.nan), {}, DataError, "no row is known. Fit a GaussianMixture"),
        (np.full(150, -1), {}, DataError, "no row is known. Fit a GaussianMixture"),
        (IRIS[:, 0], {}, ValueError, "Unknown label type"),
        (Y + 0j, {}, DataError, r"^Complex data not supported: y has dtype complex128\. A"),
        (da.from_array(IRIS[:, 0]), {}, DataError, r"Input y contains [\d.]+ in row 0"),
        (da.arange(1500), {}, DataError, r"y\.shape == \(1500,\), expected"),
        (Y, {"n_components": {0: 1}}, SettingError, "n_components lacks 1"),
        (Y, {"n_components": {0: 1, 1: 1, 2: 1, 3: 1}}, SettingError, "has 3; the classes"),
        (Y, {"n_components": [1, 2]}, SettingError, "goes with structures='own'"),
        (Y, {"n_components": 0}, SettingError, "whole number of at least 1"),
        (Y, {"covariance_type": ["full"]}, SettingError, "the classes share one structure"),
        (Y, {"priors": [1, 2]}, SettingError, "give 3 numbers"),
        (Y, {"missing": "fill"}, ValueError, "'missing' parameter"),
        (Y, {"covariance_type": "ppca"}, SettingError, "Choose one without: full, tied"),
    ],
)
def test_what_is_refused(y, settings, error, text):
    with pytest.raises(error, match=text):
        GaussianMixtureClassifier(**settings).fit(IRIS, y)


@pytest.mark.parametrize("structures", ["shared", "own"])
def test_nan_is_unknown_where_minus_one_is_a_class(structures):
    x, two = IRIS[:100], np.where(Y[:100] == 0, -1.0, 1.0)
    some = np.where(np.arange(100) % 3 == 0, np.nan, two)
    found = GaussianMixtureClassifier(structures=structures, tol=1e-9).fit(x, some)
    assert found.class_count_.tolist() == [(some == -1).sum(), (some == 1).sum()]
    assert found.score(x, some) == 1.0
    if structures == "own":
        expected = np.stack([x[some == c].mean(axis=0) for c in (-1, 1)])
        assert_allclose(found.mixture_.means_, expected, rtol=1e-12)
    whole = np.where(two > 0, 1.0, np.nan)
    assert GaussianMixtureClassifier(structures=structures).fit(x, whole).classes_.tolist() == [1]


def test_accuracy_has_the_labels_and_weights_of_the_rows_that_they_are_of():
    random = np.random.default_rng(0)
    x, other = IRIS[:144, :2].reshape(12, 12, 2), random.permutation(LABELS[:144]).reshape(12, 12)
    weight = random.uniform(0, 3, 12)
    places = {"lat": np.arange(12), "lon": np.arange(12)}
    grid = xr.DataArray(x, dims=("lat", "lon", "band"), coords=places)
    y = xr.DataArray(other, dims=("lat", "lon"), coords=places)
    w = xr.DataArray(weight, dims="lat", coords={"lat": places["lat"]})
    found = GaussianMixtureClassifier().fit(IRIS[:144, :2], LABELS[:144])
    hits = found.predict(IRIS[:144, :2]).reshape(12, 12) == other
    expected = (hits * weight[:, None]).sum() / (12 * weight.sum())
    on_grid = GaussianMixtureClassifier().fit(
        grid, xr.DataArray(LABELS[:144].reshape(12, 12), dims=("lat", "lon")), feature_dims=["band"]
    )
    assert on_grid.score(grid, y.T, w) == pytest.approx(expected)
    assert on_grid.score(grid.chunk(lat=5), y.chunk(lon=5), w) == pytest.approx(expected)
    with pytest.raises(DataError, match="differ in their coordinates"):
        on_grid.score(grid, y.isel(lat=slice(None, None, -1)))
    flat = IRIS[:144, :2]
    frame = pd.DataFrame({"a": flat[:, 0], "b": flat[:, 1], "y": other.ravel()})
    frame["w"] = np.repeat(weight, 12)
    named = GaussianMixtureClassifier().fit(frame[["a", "b"]], LABELS[:144])
    for rows in (frame, dd.from_pandas(frame, npartitions=3), xr.Dataset.from_dataframe(frame)):
        assert named.score(rows, "y", "w") == pytest.approx(expected)
    texts = np.array(["five", "fifteen", "none"])[other.ravel() // 10]
    texts[:3] = "another"
    named.fit(frame[["a", "b"]], np.array(["five", "fifteen", "none"])[LABELS[:144] // 10])
    hits = (named.predict(frame[["a", "b"]]) == texts).mean()
    assert named.score(frame.assign(y=texts)[["a", "b", "y"]], "y") == pytest.approx(hits)


@pytest.mark.parametrize(
    ("y", "weight", "text"),
    [
        (LABELS[:1], None, r"y\.shape == \(1,\), expected"),
        (LABELS, np.ones((150, 1)), "must be a 1D array"),
        (LABELS, -np.ones(150), "negative value in row 0"),
        (LABELS, np.full(150, np.nan), "contains NaN in row 0"),
        (LABELS, np.zeros(150), "both a known class and a weight"),
        (np.full(150, -1), None, "both a known class and a weight"),
        (NAMES[Y], None, "y has names, and the classes of the fit are numbers"),
    ],
)
def test_accuracy_of_nothing_is_refused(y, weight, text):
    found = GaussianMixtureClassifier().fit(IRIS, LABELS)
    with pytest.raises(DataError, match=text):
        found.score(IRIS, y, weight)


@pytest.mark.filterwarnings("ignore:Components without rows")
@pytest.mark.parametrize(
    ("structures", "text"), [("shared", "No row of the class 15"), ("own", "class 15 alone")]
)
def test_a_class_without_a_row_that_counts_is_refused(structures, text):
    gaps = np.where((Y == 1)[:, None], np.nan, IRIS)
    classifier = GaussianMixtureClassifier(structures=structures, missing="drop")
    with pytest.raises(DataError, match=text):
        classifier.fit(gaps, LABELS)
    with pytest.raises(DataError, match=text):
        classifier.fit(IRIS, LABELS, np.where(Y == 1, 0.0, 1.0))


def test_numbers_of_any_type_come_back():
    for dtype in (np.uint64, np.uint8, np.int16):
        found = GaussianMixtureClassifier().fit(IRIS, LABELS.astype(dtype))
        assert found.predict(IRIS).dtype.kind in "iu"
        assert found.score(IRIS, LABELS) > 0.9


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("structures", ["shared", "own"])
def test_a_fit_goes_on_from_its_checkpoint_to_the_same_bits(structures, tmp_path):
    def fit(end, **how):
        def listen(event):
            told.extend([event] * isinstance(event, Iterated | SweepIterated))
            if len(told) == end:
                raise KeyboardInterrupt

        told = []
        y = np.where(np.arange(len(Y)) % 3 == 0, NAMES[Y], None)
        settings = {"tol": 0.0, "max_iter": 4, "random_state": 0, "structures": structures}
        found = GaussianMixtureClassifier(2, **settings).fit(IRIS, y, listen=listen, **how)
        return found, len(told)

    whole, iterations = fit(-1)
    saved = str(tmp_path / "fit.json")
    with pytest.raises(KeyboardInterrupt):
        fit(3, checkpoint=saved)
    found, left = fit(-1, checkpoint=saved)
    assert left == iterations - 3
    assert found.mixture_.means_.tobytes() == whole.mixture_.means_.tobytes()
    assert found.class_prior_.tobytes() == whole.class_prior_.tobytes()
    with pytest.raises(CheckpointError):
        GaussianMixtureClassifier(3, structures=structures).fit(IRIS, Y, checkpoint=saved)


@pytest.mark.parametrize("structures", ["shared", "own"])
def test_a_checkpoint_is_of_all_labels(structures, tmp_path):
    """Two labels change places, in a chunk that fits do not compare: counts are the same."""
    rows, saved = da.from_array(IRIS, chunks=(15, 4)), str(tmp_path / "fit.json")
    moved = Y.copy()
    moved[[46, 101]] = Y[[101, 46]]
    classifier = GaussianMixtureClassifier(structures=structures)
    classifier.fit(rows, Y, checkpoint=saved)
    classifier.fit(rows, list(Y), checkpoint=saved)
    with pytest.raises(CheckpointError, match=r"(labels|sample_weight): other than before"):
        classifier.fit(rows, moved, checkpoint=saved)


def test_errors_name_the_classifier():
    found = GaussianMixtureClassifier().fit(IRIS, LABELS)
    lazy = da.from_array(IRIS[:, :2], chunks=(50, 2))
    with pytest.raises(ValueError, match="GaussianMixtureClassifier is expecting 4 features"):
        found.predict(lazy)
    with pytest.raises(ValueError, match="GaussianMixtureClassifier is expecting 4 features"):
        found.predict(IRIS[:, :2])
    with pytest.raises(ValueError, match=r"required by GaussianMixtureClassifier\."):
        GaussianMixtureClassifier().fit(IRIS[:1], LABELS[:1])


@pytest.mark.parametrize("structures", ["shared", "own"])
def test_rows_with_gaps_are_classified_by_what_they_have(structures, tmp_path):
    x = IRIS.copy()
    x[np.random.default_rng(0).random(x.shape) < 0.3] = np.nan
    x[0] = np.nan
    settings = {"missing": "marginalise", "structures": structures}
    found = GaussianMixtureClassifier(**settings, max_iter=200).fit(x, NAMES[Y])
    seen = found.predict(x)
    assert seen[0] is None
    assert np.mean(seen[1:] == NAMES[Y[1:]]) > 0.9
    whole = GaussianMixtureClassifier(missing="drop").fit(x, NAMES[Y])
    assert found.score(IRIS, NAMES[Y]) >= whole.score(IRIS, NAMES[Y])
    # Bayes' rule on the columns that a row has.
    row = np.array([[5.0, np.nan, 4.0, np.nan]])
    densities = [
        multivariate_normal(mean[[0, 2]], cov[np.ix_([0, 2], [0, 2])]).pdf(row[0, [0, 2]])
        for mean, cov in zip(found.mixture_.means_, found.mixture_.covariances_, strict=True)
    ]
    expected = found.class_prior_ * densities
    assert_allclose(found.predict_proba(row)[0], expected / expected.sum(), rtol=1e-9, atol=1e-12)


def test_names_and_numbers_together_are_refused():
    with pytest.raises(DataError, match="mixes names and numbers"):
        GaussianMixtureClassifier().fit(IRIS, np.where(Y == 0, "a", Y.astype(object)))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("structures", "given", "back"),
    [
        ("shared", {0: 1, 1: 2, 2: 1}, {0: 1, 1: 2, 2: 1}),
        ("own", {0: 1, 1: range(1, 3), 2: [1]}, {0: 1, 1: [1, 2], 2: [1]}),
        ("own", range(1, 3), [1, 2]),
        ("shared", np.int64(2), 2),
    ],
)
@pytest.mark.filterwarnings("ignore::daskgmm.errors.ChoiceWarning")
def test_files_keep_the_numbers_of_components_that_were_asked_for(
    tmp_path, structures, given, back
):
    settings = {"structures": structures, "covariance_type": "diag", "max_iter": 500}
    found = GaussianMixtureClassifier(given, random_state=0, **settings)
    found.fit(IRIS, Y).save(tmp_path / "c.json")
    again = GaussianMixtureClassifier.load(tmp_path / "c.json")
    assert again.n_components == back
    again.set_params(random_state=0).fit(IRIS, Y)
    assert_array_equal(again.mixture_.means_, found.mixture_.means_)


@pytest.mark.parametrize("gap", [None, np.nan])
def test_gaps_among_names_in_a_list_are_no_class(gap):
    y = [gap if i % 3 else str(name) for i, name in enumerate(NAMES[Y])]
    found = GaussianMixtureClassifier().fit(IRIS, y)
    assert_array_equal(found.classes_, NAMES)


@pytest.mark.parametrize("components", [1, 2])
def test_records_count_the_rows_of_classes(tmp_path, components):
    classifier = GaussianMixtureClassifier(components, missing="drop", random_state=0).fit(
        IRIS, LABELS
    )
    x = IRIS.copy()
    x[:3, 0] = np.nan
    done = classifier.predict_to_zarr(x, tmp_path / "classes.zarr")
    found = classifier.predict(x)
    assert done.counts.tolist() == [(found == each).sum() for each in classifier.classes_]
    assert done.missing == 3


@pytest.mark.parametrize("weights", [None, "w", "here"])
def test_rows_of_a_class_are_counted_whatever_the_blocks_of_weights(tmp_path, monkeypatch, weights):
    """Those of Parquet are shorter than a row group, which weights in memory are cut like."""
    monkeypatch.setattr("daskgmm.rows.parquet.segment.BLOCK_BYTES", 1 << 10)
    of_rows = np.random.default_rng(0).uniform(0.2, 2.0, len(IRIS))
    table = pd.DataFrame(IRIS, columns=list("abcd")).assign(y=LABELS, w=of_rows)
    table.to_parquet(tmp_path / "t.parquet")
    columns = [*"abcdy", *(["w"] if weights == "w" else [])]
    data = open_parquet(tmp_path / "t.parquet", columns=columns)
    given = of_rows if weights == "here" else weights
    found = GaussianMixtureClassifier(structures="own").fit(data, "y", given)
    counted = np.ones(len(IRIS)) if weights is None else of_rows
    for k, mean in enumerate(found.mixture_.means_):
        assert_allclose(mean, np.average(IRIS[k == Y], axis=0, weights=counted[k == Y]), rtol=1e-9)


def test_lists_of_files_have_a_column_of_names(tmp_path):
    frame = pd.DataFrame(IRIS, columns=list("abcd")).assign(w=1.0, y=NAMES[Y])
    paths = [str(tmp_path / f"{i}.parquet") for i in range(3)]
    for i, path in enumerate(paths):  # each with one class alone
        frame[50 * i : 50 * (i + 1)].to_parquet(path, row_group_size=30)
    expected = GaussianMixtureClassifier(random_state=0).fit(IRIS, LABELS)
    found = GaussianMixtureClassifier(random_state=0).fit(paths, "y", "w")
    assert found.classes_.tolist() == sorted(NAMES)
    assert found.feature_names_in_.tolist() == list("abcd")
    order = np.argsort(NAMES)
    assert_allclose(found.mixture_.means_, expected.mixture_.means_[order], rtol=1e-9)
    assert found.score(paths, "y", "w") == expected.score(IRIS, LABELS)
    with pytest.raises(DataError, match="components have numbers"):
        GaussianMixture(3).fit(paths, labels="y")


def test_texts_of_a_frame_of_dask_are_refused_with_what_makes_them_numbers():
    def unread(part):
        if len(part) > 2:  # the type is told by a few made up rows
            raise AssertionError("a partition was computed")
        return part

    frame = pd.DataFrame(IRIS, columns=list("abcd")).assign(y=NAMES[Y])
    lazy = dd.from_pandas(frame, npartitions=3)
    classifier = GaussianMixtureClassifier(random_state=0)
    for x, y in ((lazy, "y"), (lazy[list("abcd")], lazy["y"])):
        with pytest.raises(DataError, match=r"^y is the column 'y' of a data frame of Dask, and"):
            classifier.fit(x.map_partitions(unread), y)
    known = lazy["y"].astype("category").cat.as_known()
    numbers = lazy.assign(y=known.cat.codes)
    expected = GaussianMixtureClassifier(random_state=0).fit(IRIS, NAMES[Y])
    found = classifier.fit(numbers, "y")
    order = np.argsort(known.cat.categories)
    assert_allclose(found.mixture_.means_[order], expected.mixture_.means_, rtol=1e-9)
    with pytest.raises(DataError, match=r"^y is the column 'y' of a data frame of Dask, and"):
        expected.score(lazy[list("abcd")], lazy["y"])


@pytest.mark.parametrize(
    ("classes", "y"),
    [
        ([0, 1], [0, 1, 1, -1]),
        ([0, 1], [0, 1, 1, np.nan]),
        ([0, 1], pd.Series([0, 1, 1, None], dtype="Int64")),
        ([0, 1], da.from_array(np.array([0, 1, 1, np.nan]), chunks=2)),
        (["a", "b"], ["a", "b", "b", None]),
        (["a", "b"], pd.Series(["a", "b", "b", None], dtype="string")),
    ],
)
def test_rows_of_unknown_class_do_not_count_in_the_accuracy(classes, y):
    """Of three labelled rows two are right; counted as a miss the fourth would make it a half."""
    x, known = np.array([[0.0], [1.3], [0.4], [8.0], [9.1], [8.7]]), np.repeat(classes, 3)
    found = GaussianMixtureClassifier().fit(x, known)
    assert found.score(np.array([[0.5], [7.0], [2.0], [9.0]]), y) == 2 / 3
