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
    "row": np.arange(0, 60 * N, 60),
    "customer_id": np.sort(RNG.choice(10**7, N, replace=False)),
    "CustomerID": RNG.choice(10**12, N, replace=False),
    "atomic_number": RNG.permutation(N) + 7,
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
    "row": np.delete(np.arange(N + 1), N // 3),
}


def told(x, **settings):
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        GaussianMixture(1, reg_covar=0, **settings).fit(x)
    return [each for each in found if each.category is IdColumnWarning]


@pytest.mark.parametrize("name", IDS)
def test_an_id_is_told_by_name_and_with_what_to_do(name):
    frame = pd.DataFrame(X, columns=["a", "b"]).assign(**{name: IDS[name]})
    (warning,) = told(frame)
    assert warning.filename == __file__
    message = str(warning.message)
    assert f"column {name!r} " in message
    assert f"X.drop(columns=[{name!r}])" in message
    assert "--columns" in message


@pytest.mark.parametrize("name", QUANTITIES)
def test_a_quantity_is_none(name):
    assert not told(pd.DataFrame(X, columns=["a", "b"]).assign(**{name: QUANTITIES[name]}))


def test_arrays_without_names_and_small_tables_are_not_judged():
    assert not told(np.column_stack([X, np.arange(N)]))
    assert not told(pd.DataFrame({"id": np.arange(19), "a": X[:19, 0]}))


def test_where_rows_are_weighted_or_miss_values_names_tell(tmp_path):
    frame = pd.DataFrame(X, columns=["a", "b"]).assign(id=IDS["id"])
    frame.loc[5, "a"] = np.nan
    (warning,) = told(frame, missing="marginalise")
    assert "holds another whole number in each row looked at" in str(warning.message)
    assert told(frame, missing="drop")
    path = tmp_path / "t.parquet"
    frame[6:].to_parquet(path, row_group_size=60)
    with pytest.warns(IdColumnWarning, match="column 'id' numbers the rows"):
        GaussianMixture(1).fit(path)
    assert not told(open_parquet(path, ["a", "b"]))


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


@pytest.mark.parametrize("name", IDS)
@pytest.mark.parametrize("classes", ["in turn", "one after the other", "unequal"])
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
