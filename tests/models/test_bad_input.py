"""Bad input: an error that says what, where and what to do, or a usable model."""

import warnings

import dask.array as da
import numpy as np
import pytest
import zarr
from scipy import sparse
from zarr.storage import LocalStore

from daskgmm import GaussianMixture
from daskgmm.errors import DataError, DegenerateComponentWarning, SourceError

X = np.random.default_rng(0).normal(size=(200, 3)) + np.arange(200)[:, None] % 2 * 8


@pytest.fixture(scope="module")
def mixture():
    """A mixture of the rows; what refits it makes one of its own."""
    return GaussianMixture(2, random_state=0).fit(X)


def stored(X, chunks):
    return zarr.create_array(zarr.storage.MemoryStore(), data=X, chunks=chunks)


FORMS = {
    "numpy": lambda X: X,
    "dask": lambda X: da.from_array(X, chunks=(17, X.shape[1])),
    "dask, unknown lengths": lambda X: da.from_array(X, chunks=(17, X.shape[1])).map_blocks(
        lambda block: block, chunks=((np.nan,) * -(-len(X) // 17), (X.shape[1],)), dtype=X.dtype
    ),
    "zarr": lambda X: stored(X, (17, X.shape[1])),
    "zarr, column chunks": lambda X: stored(X, (17, 1)),
    "list": lambda X: [X[:50], X[50:]],
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_missing_and_infinite_values(form, value):
    spoiled = X.copy()
    spoiled[123, 1] = value
    with pytest.raises(ValueError, match="column 1") as raised:
        GaussianMixture(2).fit(FORMS[form](spoiled))
    message = str(raised.value)
    assert ("NaN" if np.isnan(value) else "infinity") in message
    assert "batch" in message
    assert ("missing='drop'" if np.isnan(value) else "Remove or replace") in message
    if "unknown" not in form:
        assert "row 123" in message


@pytest.mark.parametrize("form", ["numpy", "dask", "zarr"])
@pytest.mark.parametrize("dtype", [complex, np.complex64])
def test_complex(form, dtype):
    with pytest.raises(ValueError, match="Complex data not supported"):
        GaussianMixture(2).fit(FORMS[form](X.astype(dtype)))


def test_string_columns():
    with pytest.raises(ValueError, match=r"could not convert|dtype"):
        GaussianMixture(2).fit(np.array([["a", "b"], ["c", "d"], ["e", "f"]]))
    with pytest.raises(ValueError, match=r"numeric|str|dtype"):
        GaussianMixture(2).fit(da.from_array(np.array([["a", "b"], ["c", "d"]]), chunks=1))
    with pytest.raises(ValueError, match=r"numeric|object|dtype"):
        GaussianMixture(2).fit(da.from_array(np.array([["a", 1.0], ["c", 2.0]], object), chunks=1))


def test_sparse():
    with pytest.raises(TypeError, match=r"[Ss]parse"):
        GaussianMixture(2).fit(sparse.csr_array(X))


@pytest.mark.parametrize(
    "x",
    [X[:, 0], da.from_array(X[:, 0], chunks=50), zarr.create_array({}, data=X[:, 0])],
    ids=["numpy", "dask", "zarr"],
)
def test_one_dimension(x):
    with pytest.raises(ValueError, match="Expected 2D array, got 1D array instead"):
        GaussianMixture(2).fit(x)


@pytest.mark.parametrize("form", ["numpy", "dask", "zarr"])
def test_no_rows(form):
    empty = np.empty((0, 3))
    made = (
        stored(empty, (10, 3))
        if form == "zarr"
        else (da.from_array(empty, chunks=(10, 3)) if form == "dask" else empty)
    )
    with pytest.raises(ValueError, match=r"0 sample\(s\) .*minimum of 2 is required"):
        GaussianMixture(1).fit(made)


def test_no_rows_found_by_reading():
    x = da.from_array(X, chunks=(50, 3))
    with pytest.raises(ValueError, match="0 sample"):
        GaussianMixture(1).fit(x[x[:, 0] > 1e9])


@pytest.mark.parametrize("form", ["numpy", "dask"])
def test_no_columns(form):
    empty = np.empty((10, 0))
    made = empty if form == "numpy" else da.from_array(empty, chunks=(5, 0))
    with pytest.raises(ValueError, match=r"0 feature\(s\) \(shape=\(10, 0\)\) while a minimum of"):
        GaussianMixture(1).fit(made)


@pytest.mark.parametrize("form", FORMS)
def test_fewer_rows_than_components(form):
    few = X[:60]
    with pytest.raises(ValueError, match="Expected n_samples >= n_components"):
        GaussianMixture(61).fit(FORMS[form](few))


def test_fewer_rows_with_weight_than_components():
    weights = np.zeros(len(X))
    weights[:3] = 1
    with pytest.raises(ValueError, match="n_components = 4, n_samples = 3"):
        GaussianMixture(4).fit(X, sample_weight=weights)


def test_chunks_of_no_row_and_one_row(mixture):
    parts = [da.zeros((0, 3), chunks=(1, 3)), da.from_array(X[:1]), da.from_array(X[1:])]
    found = GaussianMixture(2, random_state=0).fit(da.concatenate(parts))
    np.testing.assert_allclose(found.means_, mixture.means_)


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        (np.where(np.arange(200) == 150, -1.0, 1.0), "negative value in row 150"),
        (np.where(np.arange(200) == 150, np.nan, 1.0), "NaN in row 150"),
        (np.where(np.arange(200) == 150, np.inf, 1.0), "infinity in row 150"),
        (np.zeros(200), "All entries of sample_weight are zero"),
        (np.ones(199), "199"),
        (np.ones((200, 2)), "1D|1-D"),
        (np.ones(200, complex), "[Cc]omplex"),
        (np.array(["a"] * 200), "str|numeric|dtype|<U1"),
    ],
)
@pytest.mark.parametrize("form", ["numpy", "dask", "zarr"])
def test_bad_weights(form, weights, words):
    with pytest.raises(ValueError, match=words):
        GaussianMixture(2).fit(FORMS[form](X), sample_weight=weights)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag", "spherical"])
class TestDegenerateData:
    def fit(self, rows, covariance_type, k=4):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            mixture = GaussianMixture(k, covariance_type=covariance_type, random_state=0).fit(rows)
        for name in ("weights_", "means_", "covariances_", "precisions_"):
            assert np.isfinite(getattr(mixture, name)).all()
        assert np.isfinite(mixture.score(rows))
        return mixture, [w for w in caught if w.category is DegenerateComponentWarning]

    def test_duplicate_rows(self, covariance_type):
        mixture, _ = self.fit(np.repeat(X[:20], 10, axis=0), covariance_type)
        assert (mixture.weights_ > 0).all()

    def test_a_constant_column(self, covariance_type):
        rows = X.copy()
        rows[:, 1] = 7.0
        mixture, caught = self.fit(rows, covariance_type)
        np.testing.assert_allclose(mixture.means_[:, 1], 7.0)
        assert not caught

    def test_more_components_than_distinct_rows(self, covariance_type):
        mixture, caught = self.fit(np.repeat(X[:3], 50, axis=0), covariance_type, k=5)
        said = [str(each.message) for each in caught]
        assert any("fewer clusters than n_components" in each for each in said)
        assert any("rest on a floor" in each for each in said)
        assert (mixture.weights_ > 1e-3).sum() == 3


def test_a_path_that_does_not_exist(tmp_path):
    with pytest.raises(SourceError, match=r"nowhere.zarr"):
        GaussianMixture(2).fit(tmp_path / "nowhere.zarr")


def test_a_path_that_holds_a_group(tmp_path):
    group = zarr.create_group(tmp_path / "group.zarr")
    group.create_array("pixels", data=X)
    with pytest.raises(SourceError, match="pixels"):
        GaussianMixture(2).fit(str(tmp_path / "group.zarr"))


def test_a_group_that_is_open_already():
    group = zarr.create_group({})
    group.create_array("pixels", data=X)
    with pytest.raises(SourceError, match="pixels"):
        GaussianMixture(2).fit(group)


def test_weights_whose_sum_overflows():
    with pytest.raises(DataError, match=r"1e\+308 in row 0 .*at most 1e150"):
        GaussianMixture(2).fit(X, sample_weight=np.full(len(X), 1e308))


def test_weights_come_from_paths_too(tmp_path):
    weights = np.random.default_rng(0).uniform(size=len(X))
    np.save(tmp_path / "w.npy", weights)
    by_path = GaussianMixture(2, random_state=0).fit(X, sample_weight=tmp_path / "w.npy")
    assert (by_path.means_ == GaussianMixture(2, random_state=0).fit(X, None, weights).means_).all()


class FailingStore(LocalStore):
    """A store whose data cannot be read."""

    async def get(self, key, *args, **options):
        if "/c/" in f"/{key}" or key.startswith("c/"):
            raise OSError("the disk is on fire")
        return await super().get(key, *args, **options)


@pytest.mark.usefixtures("impatient")
def test_a_store_that_fails_while_it_is_read(tmp_path):
    zarr.create_array(LocalStore(tmp_path / "x.zarr"), data=X, chunks=(10, 3))
    failing = zarr.open_array(FailingStore(tmp_path / "x.zarr"), mode="r")
    with pytest.raises(SourceError, match="the disk is on fire") as raised:
        GaussianMixture(2).fit(failing)
    assert "Rows 0 to" in str(raised.value)


def test_values_whose_squares_overflow():
    rows = X.copy()
    rows[5, 0] = 1e200
    with pytest.raises(DataError, match=r"row 5 .*column 0. Rescale"):
        GaussianMixture(2).fit(rows)


@pytest.mark.parametrize("method", ["predict", "predict_proba", "score_samples"])
def test_other_columns_at_prediction(mixture, method):
    for form in FORMS.values():
        with pytest.raises(
            ValueError, match="X has 2 features, but GaussianMixture is expecting 3"
        ):
            getattr(mixture, method)(form(X[:, :2].copy()))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("method", ["predict", "predict_proba", "score_samples", "score"])
@pytest.mark.parametrize(
    ("value", "name", "dtype"),
    [(np.nan, "NaN", "f8"), (-np.inf, "-infinity", "f8"), (1e200, "1e", "f8"),
     (np.nan, "NaN", "f4"), (np.inf, "infinity", "f4")],
)  # fmt: skip
def test_missing_values_at_prediction(mixture, form, method, value, name, dtype):
    spoiled = X.astype(dtype)
    spoiled[120, 2] = value
    # Chunks of 17 rows: row 120 is row 1 of block 7.
    where = r"row 1 of (block 7|batch \d)" if "unknown" in form else "row 120( |,)"
    with pytest.raises(DataError, match=rf"{name}.* in ({where}).*column 2"):
        np.asarray(getattr(mixture, method)(FORMS[form](spoiled)))


def test_errors_name_columns_that_have_names():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(X.copy(), columns=["temp", "salt", "depth"])
    mixture = GaussianMixture(2, random_state=0).fit(frame)
    frame.loc[5, "salt"] = np.nan
    with pytest.raises(DataError, match=r"row 5 .*column 1 .'salt'"):
        mixture.fit(frame)
    with pytest.raises(DataError, match=r"row 5 .*column 1 .'salt'"):
        mixture.predict(frame)


def test_a_row_before_chunks_of_unknown_length_is_numbered():
    spoiled = X.copy()
    spoiled[99, 0] = np.nan
    known = da.from_array(spoiled[:100], chunks=(20, 3))
    unknown = FORMS["dask, unknown lengths"](spoiled[100:])
    with pytest.raises(DataError, match="row 99 "):
        GaussianMixture(2).fit(da.concatenate([known, unknown]))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_failed_fit_leaves_the_estimator_as_it_was():
    mixture = GaussianMixture(2, random_state=0).fit(X)
    before = dict(vars(mixture))
    spoiled = X[:, :2].copy()
    spoiled[0] = np.nan
    for form in FORMS.values():
        with pytest.raises(DataError):
            mixture.fit(form(spoiled))
        assert vars(mixture).keys() == before.keys()
        assert all(value is before[name] for name, value in vars(mixture).items())
    mixture.predict(X)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("changed", [{"n_components": 3}, {"covariance_type": "diag"}])
def test_a_warm_start_cannot_change_its_shape(changed):
    mixture = GaussianMixture(2, random_state=0, warm_start=True, max_iter=1).fit(X)
    mixture.set_params(**changed)
    with pytest.raises(ValueError, match="warm_start=False"):
        mixture.fit(X)


def test_no_rows_have_no_likelihood():
    mixture = GaussianMixture(2, random_state=0).fit(X)
    lazy = da.from_array(X, chunks=(50, 3))
    with pytest.raises(DataError, match="no rows"):
        mixture.score(lazy[lazy[:, 0] > 1e9])
