"""An output of one's own is a function and one line in the table."""

import numpy as np
import pandas as pd
import pytest
import zarr
from numpy.testing import assert_allclose
from scipy.spatial.distance import mahalanobis

from daskgmm import GaussianMixture
from daskgmm.cli import main
from daskgmm.errors import EntryError
from daskgmm.gaussian.components.merging import covariance_matrices
from daskgmm.models.predictions.output import Asked
from daskgmm.models.predictions.outputs import OUTPUTS
from daskgmm.testing import OutputTests

X = np.random.default_rng(0).normal(size=(500, 2)) @ [[2.0, 0.0], [1.0, 0.5]] + [3.0, -1.0]


def distance(asked):
    return [asked.number("distance", distances_of, "Mahalanobis distance to the component")]


def distances_of(posterior):
    mixture, labels = posterior.parameters, posterior.labels
    differences = posterior.rows - mixture.means[labels]
    solved = np.linalg.solve(covariance_matrices(mixture)[labels], differences[:, :, None])
    return np.sqrt(np.einsum("bd,bd->b", differences, solved[:, :, 0]))


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    monkeypatch.setitem(OUTPUTS, "distance", distance)


class TestDistance(OutputTests):
    name = "distance"


@pytest.fixture(scope="module")
def mixture():
    return GaussianMixture(2, random_state=0).fit(X)


@pytest.fixture(scope="module")
def expected(mixture):
    return [
        mahalanobis(row, mixture.means_[label], mixture.precisions_[label])
        for row, label in zip(X, mixture.predict(X), strict=True)
    ]


@pytest.mark.slow
@pytest.mark.parametrize("outputs", [("distance",), ("distance", "label", "posterior")])
def test_it_is_written(mixture, expected, outputs, tmp_path):
    mixture.predict_to_zarr(X, tmp_path / "p.zarr", outputs, dtype="float64")
    found = zarr.open_group(tmp_path / "p.zarr", mode="r")
    assert_allclose(found["distance"][:], expected, rtol=1e-9)
    assert found["distance"].attrs["long_name"] == "Mahalanobis distance to the component"
    frame = pd.DataFrame({"a": X[:, 0], "b": X[:, 1], "key": np.arange(len(X))})
    own = GaussianMixture(2, random_state=0).fit(frame[["a", "b"]])
    own.predict_to_parquet(frame, tmp_path / "p.parquet", outputs, key="key", dtype="float64")
    assert_allclose(pd.read_parquet(tmp_path / "p.parquet")["distance"], expected, rtol=1e-9)


def test_the_command_line_writes_it(mixture, expected, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    mixture.save("m.json")
    zarr.create_array("x.zarr", data=X, chunks=(200, 2))
    call = ["predict", "m.json", "x.zarr", "--outputs", "distance,label", "-o", "p.zarr"]
    main(call, standalone_mode=False)
    assert_allclose(zarr.open_group("p.zarr", mode="r")["distance"][:], expected, rtol=1e-6)


CLASHES = {
    "label": ("label", lambda asked: [asked.number("label", distances_of, "another label")]),
    "top_posterior": ("top", lambda asked: [asked.number("top_posterior", distances_of, "")]),
    "twice": ("distance", lambda asked: 2 * [asked.number("twice", distances_of, "")]),
    "component": ("posterior", lambda asked: [asked.number("component", distances_of, "")]),
    "rank": (
        "top",
        lambda asked: [asked.probability("far", distances_of, "", ("rank",), (asked.top + 1,))],
    ),
}


@pytest.mark.parametrize("name", CLASHES)
def test_arrays_that_do_not_go_together_are_refused_before_writing(
    name, mixture, monkeypatch, tmp_path
):
    other, make = CLASHES[name]
    monkeypatch.setitem(OUTPUTS, "mine", make)
    for outputs in (["mine", other], [other, "mine"]):
        with pytest.raises(ValueError, match=f"'{name}'"):
            mixture.predict_to_zarr(X, tmp_path / "p.zarr", outputs)
        with pytest.raises(ValueError, match=f"'{name}'"):
            mixture.predict_to_parquet(pd.DataFrame(X), tmp_path / "p.parquet", outputs)
    assert not list(tmp_path.iterdir())


def test_columns_of_one_name_are_refused_before_writing(mixture, monkeypatch, tmp_path):
    own = [Asked(2, "float64", 1, False).number("posterior_0", distances_of, "")]
    monkeypatch.setitem(OUTPUTS, "mine", lambda asked: own)
    with pytest.raises(
        ValueError, match=r"output 'posterior_0' \(--outputs\) is called as a column"
    ):
        mixture.predict_to_parquet(pd.DataFrame(X), tmp_path / "p", ["mine", "posterior"])
    assert not list(tmp_path.iterdir())


def test_rows_that_miss_a_value_have_none(mixture, tmp_path):
    holed = X.copy()
    holed[7, 1] = np.nan
    drops = GaussianMixture(2, random_state=0, missing="drop").fit(holed)
    drops.predict_to_zarr(holed, tmp_path / "p.zarr", ["distance"])
    found = zarr.open_group(tmp_path / "p.zarr", mode="r")["distance"][:]
    assert np.flatnonzero(np.isnan(found)).tolist() == [7]


@pytest.mark.parametrize(
    ("compute", "message"),
    [
        (lambda posterior: None, r"'distance' computed None for 500 rows; .* shape is \(500,\)"),
        (lambda posterior: np.ones(1), r"'distance' computed values of shape \(1,\)"),
        (lambda posterior: posterior.responsibilities, r"of shape \(2, 500\) for 500 rows"),
    ],
)
def test_values_of_another_shape_are_an_error_of_the_entry(mixture, monkeypatch, compute, message):
    made = [Asked(2, "float64", 1, False).number("distance", compute, "")]
    monkeypatch.setitem(OUTPUTS, "distance", lambda asked: made)
    with pytest.raises(EntryError, match=message):
        mixture.predict_to_zarr(X, "memory://daskgmm-tests/own-output.zarr", ["distance"])


@pytest.mark.parametrize("made", [None, [], [None], "distance"])
def test_an_entry_that_makes_no_outputs_is_named(mixture, monkeypatch, tmp_path, made):
    monkeypatch.setitem(OUTPUTS, "distance", lambda asked: made)
    with pytest.raises(EntryError, match=r"The output 'distance' of OUTPUTS made .* one Output"):
        mixture.predict_to_zarr(X, tmp_path / "p.zarr", ["label", "distance"])
    assert not list(tmp_path.iterdir())
