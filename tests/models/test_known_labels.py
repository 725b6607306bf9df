"""Agreement with known labels: scikit-learn's numbers, whatever holds the labels."""

import json

import dask.array as da
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from numpy.testing import assert_array_equal
from sklearn.metrics import adjusted_rand_score
from sklearn.metrics.cluster import contingency_matrix

from daskgmm import GaussianMixture
from daskgmm.errors import DataError

RANDOM = np.random.default_rng(0)
TRUTH = RANDOM.integers(0, 3, 700)
X = RANDOM.normal(size=(700, 2)) + 3 * TRUTH[:, None] * [1.0, 0.5]
NAMES = np.array(["oak", "ash", "fir"], object)
COLUMNS = ["a", "b"]


@pytest.fixture(scope="module")
def mixture():
    return GaussianMixture(4, random_state=0, max_iter=20, tol=1.0).fit(X)


def test_numbers_are_scikit_learns(mixture):
    found = mixture.label_agreement(X, TRUTH)
    labels = mixture.predict(X)
    assert found.adjusted_rand == pytest.approx(adjusted_rand_score(TRUTH, labels), rel=1e-12)
    assert_array_equal(found.contingency, contingency_matrix(TRUTH, labels))
    assert (found.rows, found.unknown, found.missing) == (700, 0, 0)
    assert (found.known, found.found) == ((0, 1, 2), (0, 1, 2, 3))
    assert json.loads(json.dumps(found.as_dict()))["contingency"] == found.contingency.tolist()
    same = mixture.label_agreement(X, labels * 7 + 3)
    assert same.adjusted_rand == 1
    assert same.known == (3, 10, 17, 24)
    shuffled = mixture.label_agreement(X, RANDOM.permutation(TRUTH))
    assert abs(shuffled.adjusted_rand) < 0.02


def test_rows_whose_label_is_unknown_do_not_count(mixture):
    some = np.where(np.arange(700) % 5 == 0, np.nan, TRUTH)
    some[::7] = -1
    known = some >= 0
    found = mixture.label_agreement(X, some)
    expected = adjusted_rand_score(TRUTH[known], mixture.predict(X[known]))
    assert found.adjusted_rand == pytest.approx(expected, rel=1e-12)
    assert (found.rows, found.unknown) == (known.sum(), 700 - known.sum())
    two = mixture.label_agreement(X, np.where(TRUTH > 0, 1, -1))
    assert (two.known, two.unknown) == ((-1, 1), 0)
    for nothing in (np.full(700, -1), da.full(700, np.nan, chunks=100)):
        with pytest.raises(DataError, match="known"):
            mixture.label_agreement(X, nothing)
    with pytest.raises(DataError, match="None"):
        mixture.label_agreement(X, None)
    with pytest.raises(DataError, match=r"contains 0\.5 in .*row 3"):
        mixture.label_agreement(
            da.from_array(X), da.from_array(np.where(np.arange(700) == 3, 0.5, 1))
        )


@pytest.mark.slow
def test_of_any_form(mixture, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    frame = pd.DataFrame(X, columns=COLUMNS).assign(tree=NAMES[TRUTH], number=TRUTH)
    frame.loc[::9, "tree"] = None
    frame.to_parquet("t.parquet", row_group_size=90)
    frame.to_csv("t.csv", index=False)
    named = GaussianMixture(4, random_state=0, max_iter=20, tol=1.0).fit(frame[COLUMNS])
    there = frame["tree"].notna().to_numpy()
    expected = contingency_matrix(frame["tree"][there], mixture.predict(X[there]))
    for x in ("t.parquet", "t.csv", frame[[*COLUMNS, "tree"]]):
        found = named.label_agreement(x, "tree")
        assert_array_equal(found.contingency, expected)
        assert found.known == ("ash", "fir", "oak")
        assert found.unknown == 700 - there.sum()
    numbers = contingency_matrix(TRUTH, mixture.predict(X))
    assert_array_equal(named.label_agreement("t.parquet", "number").contingency, numbers)
    lazy = da.from_array(X, chunks=(90, 2)), da.from_array(TRUTH, chunks=50)
    assert_array_equal(mixture.label_agreement(*lazy).contingency, numbers)
    grid = xr.Dataset({"x": (("y", "band"), X), "tree": ("y", TRUTH)})
    on_grid = GaussianMixture(4, random_state=0, max_iter=20, tol=1.0)
    on_grid.fit(grid["x"], feature_dims=["band"])
    assert_array_equal(on_grid.label_agreement(grid["x"], grid["tree"]).contingency, numbers)


@pytest.mark.slow
def test_missing_rows_outliers_and_clusters(mixture):
    gaps = X.copy()
    gaps[::10, 0] = np.nan
    fit = {"random_state": 0, "max_iter": 20, "tol": 1.0, "missing": "drop"}
    plain = GaussianMixture(3, **fit).fit(gaps).label_agreement(gaps, TRUTH)
    assert (plain.missing, plain.found) == (70, (0, 1, 2))
    gaps[1:80:2] = RANDOM.uniform(-60, 60, (40, 2))
    noisy = GaussianMixture(3, noise=True, **fit).fit(gaps)
    labels, there = noisy.predict(gaps), ~np.isnan(gaps).any(axis=1)
    found = noisy.label_agreement(gaps, TRUTH)
    assert (found.rows, found.missing) == (630, 70)
    assert found.found == (0, 1, 2, -1)
    assert found.adjusted_rand == pytest.approx(adjusted_rand_score(TRUTH[there], labels[there]))
    assert "out" in repr(found)
    merged = GaussianMixture(4, random_state=0, max_iter=20, tol=1.0).fit(X)
    clusters = merged.merge_components(X, 3).predict_clusters(X)
    found = merged.label_agreement(X, TRUTH)
    assert_array_equal(found.contingency, contingency_matrix(TRUTH, clusters))


def test_the_report_fits_a_terminal():
    k = 40
    means = 100.0 * np.arange(k)[:, None]
    wide = GaussianMixture.from_parameters([1 / k] * k, means, [1.0] * k)
    rows = np.repeat(means, 9, axis=0)
    names = np.array([f"a rather long name of class {i}" for i in range(3 * k)], object).repeat(3)
    report = repr(wide.label_agreement(rows, names))
    assert max(map(len, report.splitlines())) <= 80
    assert "and 100 more known labels and " in report
    assert report.count("\n") < 30
