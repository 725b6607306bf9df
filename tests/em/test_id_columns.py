"""Columns that number the rows are told by the survey, and quantities are not taken for them."""

import warnings

import numpy as np
import pandas as pd
import pytest

from daskgmm import GaussianMixture, GaussianMixtureClassifier, sweep
from daskgmm.errors import IdColumnWarning
from daskgmm.rows.parquet.rows import open_parquet

N = 400
RNG = np.random.default_rng(0)
X = RNG.normal(size=(N, 2))

IDS = {
    "id": np.arange(N),
    "plot": np.arange(1, N + 1),  # whatever it is called
    "rank": RNG.permutation(N),
    "nr": RNG.permutation(N) + 10**9,
    "row_number": np.arange(0, 60 * N, 60),
    "customer_id": np.sort(RNG.choice(10**7, N, replace=False)),
    "CustomerID": RNG.choice(10**12, N, replace=False),
    "atomic_number": RNG.permutation(N) + 7,
    "row": np.delete(np.arange(N + 1), N // 3),  # a row was left out before
    "tree": np.delete(np.arange(1, N + 21), slice(100, 120)),
    "Unnamed: 0": np.sort(RNG.choice(10**7, N, replace=False)),
}
QUANTITIES = {
    "time": np.arange(N) * 1.0,
    "t": np.arange(N) * 0.25,
    "axis": np.linspace(0, 1, N),
    "depth": np.arange(0, 10 * N, 10),
    "latitude": np.arange(N) - N // 2,
    "year": np.arange(N) + 1600,
    "count": RNG.integers(0, N, N),
    "bmi_index": RNG.integers(17, 40, N),
    "index": RNG.normal(size=N),
    "sorted": np.sort(RNG.integers(0, 10**6, N)),
    "id": RNG.integers(0, 20, N),
    "pid": RNG.choice(10**7, N, replace=False),
    "price_index": RNG.choice(10**7, N, replace=False),
    "mass_number": np.sort(RNG.choice(10**7, N, replace=False)),
    "pages": np.delete(np.arange(2 * N), slice(None, None, 2)),
    "visits": np.sort(RNG.permutation(np.append(np.arange(N - 1), N - 2))),  # one number twice
    "weight_g": np.round(RNG.normal(180, 40, N)),
    "steps": np.arange(N)[RNG.integers(0, N, N)],
    "founded": RNG.permutation(N + 9)[:N] + 1600,
}
"""What numbers no rows, though much of it is whole, differs, or lies in a range of about N."""

NUMBERS = ("plot", "rank", "nr", "row_number", "row", "tree")
"""Of IDS those that are known by their values, without a name that only ids have."""


CHEAP = {"init_params": "k-means++", "n_init": 1, "random_state": 0}
"""The survey tells of ids, whatever the start."""


def told(x, beside=None, **settings):
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        GaussianMixture(2, covariance_type="diag", max_iter=1, **CHEAP, **settings).fit(
            x, **(beside or {})
        )
    return [each for each in found if each.category is IdColumnWarning]


@pytest.mark.parametrize("name", IDS)
def test_an_id_is_told_by_name_and_with_what_to_do(name):
    frame = pd.DataFrame(X, columns=["a", "b"]).assign(**{name: IDS[name]})
    (warning,) = told(frame)
    assert warning.filename == __file__
    message = str(warning.message)
    assert f"column {name!r} " in message
    assert f"X.drop(columns=[{name!r}])" in message
    assert "columns= of open_data" in message


@pytest.mark.parametrize("name", QUANTITIES)
def test_a_quantity_is_none(name):
    assert not told(pd.DataFrame(X, columns=["a", "b"]).assign(**{name: QUANTITIES[name]}))


def test_arrays_without_names_and_small_tables_are_not_judged():
    assert not told(np.column_stack([X, np.arange(N)]))
    assert not told(pd.DataFrame({"id": np.arange(19), "a": X[:19, 0]}))


def test_columns_of_a_file_are_told_and_those_that_are_left_out_are_not(tmp_path):
    frame = pd.DataFrame(X, columns=["a", "b"]).assign(id=IDS["id"])
    path = tmp_path / "t.parquet"
    frame[6:].to_parquet(path, row_group_size=60)
    with pytest.warns(IdColumnWarning, match="column 'id' numbers the rows"):
        GaussianMixture(1).fit(path)
    assert not told(open_parquet(path, ["a", "b"]))


WAYS = ("gap beside", "dropped", "many dropped", "first dropped", "weights", "weights 0", "own gap")


def in_ways(frame, name, way):
    """The table with gaps or weights, and settings and companions of its fit."""
    frame, weights, missing = frame.copy(), None, "error"
    some = np.random.default_rng(1).choice(N, N // 3, replace=False)
    if way == "gap beside":
        frame.loc[5, "a"], missing = np.nan, "marginalise"
    elif way == "own gap":
        frame.loc[some[:9], name], missing = np.nan, "marginalise"
    elif way.endswith("dropped"):
        rows = {"dropped": some[:9], "many dropped": some, "first dropped": np.arange(30)}[way]
        frame.loc[rows, "a"], missing = np.nan, "drop"
    else:
        weights = np.where(np.isin(np.arange(N), some[:9]), 0.0, 1.0)
        if way == "weights":
            weights = np.random.default_rng(2).uniform(0.1, 3, N)
    return frame, {"missing": missing}, {"sample_weight": weights}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", NUMBERS)
def test_what_numbers_the_rows_is_told_whatever_rows_miss_or_weigh(name, way):
    frame = pd.DataFrame(X, columns=["a", "b"]).assign(**{name: IDS[name]})
    if (name, way) == ("tree", "first dropped"):
        pytest.skip("no end of the numbers is known")
    frame, settings, beside = in_ways(frame, name, way)
    (warning,) = told(frame, beside, **settings)
    assert f"column {name!r} numbers the rows" in str(warning.message)


@pytest.mark.parametrize("way", WAYS)
def test_a_quantity_is_none_whatever_rows_miss_or_weigh(way):
    frame = pd.DataFrame(X, columns=["a", "b"]).assign(**QUANTITIES)
    frame, settings, beside = in_ways(frame, list(QUANTITIES), way)
    assert [str(each.message) for each in told(frame, beside, **settings)] == []


@pytest.mark.parametrize("seed", range(20))
def test_whole_numbers_that_are_drawn_are_no_ids_of_few_rows(seed):
    random = np.random.default_rng(seed)
    n = 20 + 2 * seed
    columns = {
        "drawn": random.integers(1, n + 1, n),
        "counts": random.poisson(n / 2, n),
        "rounded": np.round(random.normal(n, n / 4, n)),
        "halves": random.integers(0, 2 * n, n),
        "a": np.where(np.arange(n) == 3, np.nan, random.normal(size=n)),
    }
    for missing in ("marginalise", "drop"):
        assert not told(pd.DataFrame(columns), missing=missing)


def test_a_classifier_of_each_class_alone_tells_what_numbers_rows_with_gaps():
    frame = pd.DataFrame(X, columns=["a", "b"]).assign(rank=IDS["rank"])
    frame.loc[7, "a"] = np.nan
    for missing in ("marginalise", "drop"):
        classifier = GaussianMixtureClassifier(structures="own", random_state=0, missing=missing)
        with pytest.warns(IdColumnWarning, match="column 'rank' numbers the rows"):
            classifier.fit(frame, np.arange(N) % 3)


def test_sweeps_and_classifiers_tell_it_once():
    frame = pd.DataFrame(X, columns=["a", "b"]).assign(id=IDS["id"])
    for fit in (
        lambda: sweep(frame, n_components=[1, 2], random_state=0),
        lambda: GaussianMixtureClassifier(random_state=0).fit(frame, np.arange(N) % 2),
    ):
        with warnings.catch_warnings(record=True) as found:
            warnings.simplefilter("always")
            fit()
        (warning,) = [each for each in found if each.category is IdColumnWarning]
        assert warning.filename == __file__


@pytest.mark.parametrize(
    ("name", "classes"),
    [(name, classes) for name in NUMBERS for classes in ("in turn", "one after the other")]
    + [(name, "unequal") for name in IDS],
)
def test_a_classifier_with_structures_of_its_own_tells_it_once_of_all_rows(name, classes):
    """Rows of no class are numbered without a gap."""
    frame = pd.DataFrame(X, columns=["a", "b"]).assign(**{name: IDS[name]})
    y = {
        "in turn": np.arange(N) % 3,
        "one after the other": np.repeat([0, 1], N // 2),
        "unequal": np.minimum(np.arange(N) % 10, 1),
    }[classes]
    classifier = GaussianMixtureClassifier(structures="own", random_state=0)
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        classifier.fit(frame, y)
    (warning,) = [each for each in found if each.category is IdColumnWarning]
    assert warning.filename == __file__
    assert f"column {name!r} " in str(warning.message)


def test_what_numbers_the_rows_of_each_class_alone_is_no_id_of_all():
    frame = pd.DataFrame(X, columns=["a", "b"]).assign(rank=np.tile(np.arange(N // 2), 2))
    with warnings.catch_warnings():
        warnings.simplefilter("error", IdColumnWarning)
        GaussianMixtureClassifier(structures="own", random_state=0).fit(
            frame, np.repeat([0, 1], N // 2)
        )
