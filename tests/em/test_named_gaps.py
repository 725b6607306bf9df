"""Errors about missing values name the columns that hold them, and in how many rows."""

import dask.array as da
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from daskgmm import GaussianMixture
from daskgmm.em.survey.gaps import gaps_in_words
from daskgmm.errors import DataError

X = np.random.default_rng(0).normal(size=(200, 3))
X[[5, 9], 1] = X[9, 2] = np.nan
NAMES = ["temp", "salt", "depth"]
FRAME = pd.DataFrame(X, columns=NAMES)
NAMED = "a value is missing in column 1 ('salt'): 2 rows, column 2 ('depth'): 1 row. Leave out"


def refused(call):
    with pytest.raises(DataError) as caught:
        call()
    return str(caught.value)


@pytest.mark.parametrize(
    ("x", "rows", "named"),
    [
        (X, 200, "a value is missing in column 1: 2 rows, column 2: 1 row. Leave out"),
        (FRAME, 200, NAMED),
        (da.from_array(X, chunks=(50, 3)), 50, "column 1: 2 rows, column 2: 1 row."),
        (xr.Dataset({name: ("row", FRAME[name].to_numpy()) for name in NAMES}), 200, NAMED),
    ],
)
def test_the_columns_of_the_rows_that_were_read(x, rows, named):
    said = refused(lambda: GaussianMixture(2).fit(x))
    assert f"in row{'[5]' if isinstance(x, xr.Dataset) else ' 5'} (batch 0), column 1" in said
    assert f"Of {rows} rows read there, " in said
    assert named in said


@pytest.mark.parametrize("call", ["predict", "score", "score_samples"])
def test_of_predictions_too(call):
    mixture = GaussianMixture(2, random_state=0).fit(FRAME.dropna())
    assert NAMED in refused(lambda: getattr(mixture, call)(FRAME))


@pytest.mark.parametrize("missing", ["drop", "marginalise"])
def test_the_columns_that_leave_no_row(missing, tmp_path):
    rows = np.full((100, 2), np.nan)
    rows[0] = 1.0
    pd.DataFrame(rows, columns=["temp", "salt"]).to_parquet(tmp_path / "x.parquet")
    said = refused(lambda: GaussianMixture(2, missing=missing).fit(tmp_path / "x.parquet"))
    assert "Found 1 sample(s)" in said
    both = "column 0 ('temp'): 99 rows, column 1 ('salt'): 99 rows"
    assert f"A value is missing in 99 rows ({both})." in said


def test_a_column_of_gaps_alone_is_the_one_that_is_named():
    rows = pd.DataFrame({"temp": X[:, 0], "salt": np.nan})
    said = refused(lambda: GaussianMixture(2, missing="drop").fit(rows))
    assert "A value is missing in 200 rows (column 1 ('salt'): 200 rows)." in said


def test_of_many_columns_those_of_most_rows_are_named():
    said = gaps_in_words(np.arange(20), None)
    assert said.startswith("column 19: 19 rows, column 18: 18 rows")
    assert said.endswith("column 12: 12 rows, and 11 columns more")
    assert gaps_in_words(np.array([0, 1]), ["a", "b"]) == "column 1 ('b'): 1 row"


def test_weights_that_are_missing_name_no_column():
    weights = np.full(200, np.nan)
    mixture = GaussianMixture(2, missing="drop")
    whole = np.where(np.isnan(X), 0.0, X)
    said = refused(lambda: mixture.fit(whole, sample_weight=weights))
    assert said.endswith("A value is missing in 200 rows.")
