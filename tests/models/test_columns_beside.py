"""Columns that go beside the features are refused in the words of the argument that names them."""

import warnings

import dask.dataframe as dd
import numpy as np
import pandas as pd
import polars
import pyarrow
import pytest

from daskgmm import GaussianMixture, GaussianMixtureClassifier, open_data, plan, sweep
from daskgmm.errors import DataError

N = 60
RNG = np.random.default_rng(0)
Z = RNG.integers(0, 2, N)
FRAME = pd.DataFrame(
    {
        "a": RNG.normal(size=N) + 5 * Z,
        "b": RNG.normal(size=N),
        "day": pd.date_range("2024-01-01", periods=N),
        "name": np.array(["low", "high"])[Z],
    }
)
MIXTURE = GaussianMixture(2, init_params="k-means++", random_state=0).fit(FRAME[["a", "b"]])


def forms(tmp_path, columns):
    """Return tables of these columns, each as users give it."""
    frame = FRAME[columns]
    frame.to_parquet(tmp_path / "t.parquet", row_group_size=20)
    frame.to_csv(tmp_path / "t.csv", index=False)
    return {
        "pandas": frame,
        "dask": dd.from_pandas(frame, npartitions=2),
        "polars": polars.from_pandas(frame),
        "arrow": pyarrow.Table.from_pandas(frame),
        "parquet": str(tmp_path / "t.parquet"),
        "csv": str(tmp_path / "t.csv"),
        "open": open_data(str(tmp_path / "t.parquet"), columns=["a", "b"]),
    }


FORMS = ("pandas", "dask", "polars", "arrow", "parquet", "csv", "open")


def refused(call):
    with pytest.raises(DataError) as caught:
        call()
    message = str(caught.value)
    assert "Leave them out" not in message, "as features are"
    return message


@pytest.mark.parametrize("form", FORMS)
def test_dates_are_no_labels_and_no_weights_of_a_fit(tmp_path, form):
    x = forms(tmp_path, ["a", "b", "day"])[form]
    for call in (
        lambda: GaussianMixture(2).fit(x, labels="day"),
        lambda: sweep(x, n_components=[2], labels="day"),
        lambda: plan(x, n_components=2, labels="day"),
    ):
        message = refused(call)
        assert message.startswith("labels is the column 'day', which holds ")
        assert "a label is a whole number" in message
    message = refused(lambda: GaussianMixture(2).fit(x, sample_weight="day"))
    assert message.startswith("sample_weight is the column 'day', which holds ")
    assert message.endswith("and weights are numbers. Name a column of numbers.")


@pytest.mark.parametrize("form", FORMS)
def test_dates_are_no_labels_of_a_classifier_and_of_an_agreement(tmp_path, form):
    x = forms(tmp_path, ["a", "b", "day"])[form]
    y, labels = "y is the column 'day', which holds ", "labels is the column 'day', which holds "
    if form == "pandas":  # a column of it is taken as values are
        y, labels = "y contains datetime.datetime(", "labels contains datetime.datetime("
    assert refused(lambda: GaussianMixtureClassifier().fit(x, "day")).startswith(y)
    assert refused(lambda: MIXTURE.label_agreement(x, "day")).startswith(labels)
    named = GaussianMixtureClassifier().fit(FRAME[["a", "b"]], FRAME["name"])
    assert refused(lambda: named.score(x, "day")).startswith(y)
    message = refused(lambda: MIXTURE.score(x, None, "day"))
    weights = "has dtype" if form == "pandas" else "is the column 'day', which holds "
    assert message.startswith(f"sample_weight {weights}")


@pytest.mark.parametrize("form", FORMS)
def test_texts_as_labels_of_a_mixture_and_as_weights(tmp_path, form):
    x = forms(tmp_path, ["a", "b", "name"])[form]
    message = refused(lambda: GaussianMixture(2).fit(x, labels="name"))
    assert message.startswith("labels is the column 'name'")
    assert ("GaussianMixtureClassifier" in message) is (form != "dask")
    message = refused(lambda: GaussianMixture(2).fit(x, sample_weight="name"))
    assert message.startswith("sample_weight is the column 'name', which holds text")


@pytest.mark.parametrize("form", ["polars", "arrow", "parquet", "csv"])
def test_dates_are_no_noise(tmp_path, form):
    x = forms(tmp_path, ["a", "b", "day"])[form]
    message = refused(lambda: GaussianMixture(2).fit(x, noise_variance=["day"]))
    assert message.startswith("noise_variance is the column 'day', which holds ")
    message = refused(lambda: MIXTURE.score(x, noise_variance=["day", "day2"]))
    assert "no column 'day2'" in message


def test_features_are_left_out_by_the_call_that_is_said():
    with pytest.raises(DataError, match=r"X has columns.*Leave them out: X\.drop"):
        GaussianMixture(2).fit(FRAME[["a", "day"]], sample_weight="a")


def test_dates_in_arrays_are_refused_by_what_they_are_given_as():
    days = FRAME["day"].to_numpy()
    x = FRAME[["a", "b"]]
    with pytest.raises(DataError, match=r"labels has dtype.*not labels.*pandas\.factorize"):
        GaussianMixture(2).fit(x, labels=days)
    with pytest.raises(DataError, match=r"sample_weight has dtype.*are not weights"):
        GaussianMixture(2).fit(x, sample_weight=days)
    with pytest.raises(DataError, match=r"X has dtype.*\(t - t0\)"):
        GaussianMixture(2).fit(np.column_stack([days, days]))


REAL = np.where(Z == 1, 1.5, Z)
REAL[:3] = [0, np.nan, 2.25]

ODD = {
    "Unknown label type: a label is a whole number": REAL,
    r"contains 2\.25 in row 2": REAL.astype(object),
    "mixes names and numbers": np.where(Z == 1, "a", Z.astype(object)),
    r"contains datetime\.date\(.*Make texts of others": FRAME["day"].dt.date.to_numpy(),
    "contains infinity": np.where(Z == 1, np.inf, 0.0),
    "contains NaN alone": np.full(N, np.nan),
    r"contains b'[ab]'": np.array([b"a", b"b"])[Z],
}


@pytest.mark.parametrize("message", ODD)
def test_measurements_are_refused_in_words_of_ours(message):
    """scikit-learn would guess a regression, and speak of y."""
    values, x = ODD[message], FRAME[["a", "b"]]
    for call, name in (
        (lambda: MIXTURE.label_agreement(x, values), "labels"),
        (lambda: GaussianMixtureClassifier().fit(x, values), "y"),
    ):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with pytest.raises(DataError, match=message) as caught:
                call()
        assert name in str(caught.value).replace("labels of", "").split()
        assert not {"regression", "continuous", "multiclass"} & set(str(caught.value).split())


def test_labels_that_all_differ_are_taken_without_a_guess():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        agreed = MIXTURE.label_agreement(FRAME[["a", "b"]], np.arange(N))
    assert agreed.known == tuple(range(N))
    assert abs(agreed.adjusted_rand) < 1e-12, "single rows are no partition to agree with"


def test_truth_values_are_classes_that_a_file_holds(tmp_path):
    x, y = FRAME[["a", "b"]], Z == 1
    fitted = GaussianMixtureClassifier(random_state=0).fit(x, y)
    fitted.save(tmp_path / "c.json")
    loaded = GaussianMixtureClassifier.load(tmp_path / "c.json")
    assert loaded.classes_.dtype == bool
    assert loaded.classes_.tolist() == [False, True]
    np.testing.assert_array_equal(loaded.predict(x), fitted.predict(x))
