"""Masks are not lost: what is behind one never becomes data."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import dask
import dask.array as da
import numpy as np
import pytest
import xarray as xr

from daskgmm import (
    BayesianGaussianMixture,
    GaussianMixture,
    GaussianMixtureClassifier,
    sweep,
)
from daskgmm.errors import DataError

RANDOM = np.random.default_rng(0)
ROWS = RANDOM.normal(5.0, 1.0, (40, 3))
MASKED = np.ma.masked_greater(ROWS, 6.5)
WEIGHTS = np.ma.masked_greater(RANDOM.random(40), 0.9)


@dask.delayed
def read(values: np.ma.MaskedArray) -> np.ma.MaskedArray:
    return values


def lazy(values: Any) -> da.Array:
    """Return an array that looks plain until its two blocks are read."""
    half = len(values) // 2
    parts = [values[:half], values[half:]]
    return da.concatenate(
        [da.from_delayed(read(part), part.shape, dtype=part.dtype) for part in parts]
    )


def named(x: Any, dims: tuple[str, ...] = ("row", "column")) -> xr.DataArray:
    return xr.DataArray(x, dims=dims)


X: dict[str, Callable[[], tuple[Any, dict[str, Any]]]] = {
    "array": lambda: (MASKED, {}),
    "list of arrays": lambda: ([ROWS, MASKED], {}),
    "list of rows": lambda: (list(MASKED), {}),
    "tuple with lazy": lambda: ((ROWS, lazy(MASKED)), {}),
    "lazy": lambda: (lazy(MASKED), {}),
    "lazy by columns": lambda: (lazy(MASKED).rechunk((20, 1)), {}),
    "masked by dask": lambda: (da.ma.masked_greater(da.from_array(ROWS, chunks=20), 6.5), {}),
    "named": lambda: (named(lazy(MASKED)), {"feature_dims": "column"}),
    "named by columns": lambda: (
        named(lazy(MASKED).rechunk((20, 1))),
        {"feature_dims": "column"},
    ),
    "variables": lambda: (
        xr.Dataset({"a": ("row", lazy(ROWS[:, 0])), "b": ("row", lazy(MASKED[:, 1]))}),
        {},
    ),
    "variables on other grids": lambda: (
        xr.Dataset({"a": (("row", "x"), ROWS), "b": ("row", lazy(MASKED[:, 1]))}),
        {},
    ),
}


@pytest.mark.parametrize("kind", X)
def test_masked_rows_are_refused(kind: str) -> None:
    x, how = X[kind]()
    with pytest.raises(DataError, match=r"masked.*map_blocks\(numpy\.ma\.filled, numpy\.nan\)"):
        GaussianMixture(1, missing="drop").fit(x, **how)


@pytest.mark.parametrize("use", ["predict", "score_samples", "score", "predict_to_zarr"])
@pytest.mark.parametrize("kind", X)
def test_masked_rows_are_refused_by_fitted_mixtures(kind: str, use: str, tmp_path: Path) -> None:
    x, how = X[kind]()
    mixture = GaussianMixture(1)
    if isinstance(x, xr.Dataset):
        mixture.fit(x.map(lambda each: each.copy(data=np.asarray(each.data))), **how)
    elif how:
        mixture.fit(named(ROWS), **how)
    else:
        mixture.fit(ROWS)
    out = (str(tmp_path / "out"),) if use == "predict_to_zarr" else ()
    with pytest.raises(DataError, match="masked"):
        dask.compute(getattr(mixture, use)(x, *out))


@pytest.mark.parametrize(
    "weights",
    [
        WEIGHTS,
        lazy(WEIGHTS),
        lazy(WEIGHTS).rechunk(7),
        da.ma.masked_greater(lazy(WEIGHTS), 0.9),
        named(lazy(WEIGHTS), ("row",)),
    ],
    ids=["array", "lazy", "rechunked", "masked by dask", "named"],
)
def test_masked_weights_are_refused(weights: Any) -> None:
    for x in (ROWS, da.from_array(ROWS, chunks=20), [ROWS]):
        given = [weights] if isinstance(x, list) else weights
        with pytest.raises(DataError, match="masked"):
            GaussianMixture(1, missing="drop").fit(x, sample_weight=given)


@pytest.mark.parametrize("axes", [("row",), ("row", "x")])
@pytest.mark.parametrize("chunked", [True, False])
def test_masked_weights_on_a_grid_are_refused(axes: tuple[str, ...], chunked: bool) -> None:
    x = named(ROWS, ("row", "x"))
    weights = named(lazy(WEIGHTS if axes == ("row",) else MASKED), axes)
    with pytest.raises(DataError, match=r"sample_weight.* masked|masked.*sample_weight"):
        GaussianMixture(1, missing="drop").fit(
            x.chunk(10) if chunked else x, feature_dims=(), sample_weight=weights
        )


@pytest.mark.parametrize("chunked", [True, False])
def test_named_weights_of_a_matrix(chunked: bool) -> None:
    """A DataArray may go with rows that have no names, and is decoded all the same."""
    packed = xr.DataArray(np.arange(40, dtype="i2"), dims="row", attrs={"add_offset": 2.0})
    packed.encoding["dtype"] = "i2"
    weights = packed.chunk(9) if chunked else packed
    found = GaussianMixture(1).fit(ROWS, sample_weight=weights)
    expected = GaussianMixture(1).fit(ROWS, sample_weight=np.arange(40) + 2.0)
    np.testing.assert_array_equal(found.means_, expected.means_)


def test_masks_that_are_filled_are_missing_values() -> None:
    x = lazy(MASKED).map_blocks(np.ma.filled, np.nan)
    mixture = GaussianMixture(1, missing="drop").fit(x)
    assert mixture.fitted_on_["missing"] == int(MASKED.mask.any(axis=1).sum())


class Elsewhere:
    """An array-like that tells how often it is read, and is nowhere in memory."""

    def __init__(self, values: np.ndarray, nbytes: int) -> None:
        self.values, self.reads = values, 0
        self.shape, self.dtype = (nbytes // 24, *values.shape[1:]), values.dtype

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        self.reads += 1
        return self.values


def test_what_is_stored_elsewhere_is_not_loaded_whole() -> None:
    mixture = GaussianMixture(1).fit(ROWS)
    for use in (
        GaussianMixture(1).fit,
        mixture.predict,
        mixture.score,
        lambda x: GaussianMixture(1).fit([ROWS, x]),
        lambda x: GaussianMixture(1).fit([x, x]),
        lambda x: GaussianMixture(1).fit(ROWS, sample_weight=x),
    ):
        x = Elsewhere(ROWS, 1 << 30)
        with pytest.raises(TypeError, match=r"as a whole.*dask\.array\.from_array\(x, chunks"):
            use(x)
        assert x.reads == 0


def test_small_arrays_from_elsewhere_are_read_with_their_masks() -> None:
    plain = GaussianMixture(1).fit(Elsewhere(ROWS, ROWS.nbytes))
    np.testing.assert_array_equal(plain.means_, GaussianMixture(1).fit(ROWS).means_)
    with pytest.raises(DataError, match="X is masked"):
        GaussianMixture(1).fit(Elsewhere(MASKED, ROWS.nbytes))
    with pytest.raises(DataError, match="sample_weight is masked"):
        GaussianMixture(1).fit(ROWS, sample_weight=Elsewhere(WEIGHTS, 40 * 24))


@pytest.mark.parametrize("library", ["netCDF4", "h5netcdf"])
def test_variables_of_netcdf_files_are_opened_by_path(tmp_path: Path, library: str) -> None:
    pytest.importorskip("netCDF4")
    files = pytest.importorskip(library)
    xr.Dataset(
        {"x": (("row", "column"), ROWS), "w": ("row", WEIGHTS.data)},
    ).to_netcdf(tmp_path / "x.nc", encoding={"x": {"_FillValue": -9.0}})
    opened = files.Dataset if library == "netCDF4" else files.File
    with opened(tmp_path / "x.nc") as file:
        x, w = file.variables["x"], file.variables["w"]
        for use in (
            lambda: GaussianMixture(1).fit(x),
            lambda: GaussianMixture(1).fit([x, x]),
            lambda: GaussianMixture(1).fit(file),
            lambda: GaussianMixture(1).fit(ROWS).predict(x),
            lambda: GaussianMixture(1).fit(ROWS, sample_weight=w),
            lambda: GaussianMixture(1).fit([ROWS], sample_weight=[w]),
        ):
            with pytest.raises(TypeError, match=r"daskgmm\.open_labelled\(path"):
                use()
        if library == "netCDF4":
            # Dask keeps the mask of what it reads from one.
            with pytest.raises(DataError, match="masked"):
                GaussianMixture(1).fit(da.from_array(x, chunks=(20, 3)))


LABELS = np.ma.array(np.arange(40) % 2, mask=np.arange(40) < 3)
TEXTS = np.ma.array(np.array(["a", "b"])[np.arange(40) % 2], mask=np.arange(40) < 3)
GIVEN = GaussianMixture.from_parameters([0.5, 0.5], ROWS[:2], [np.eye(3)] * 2)
CLASSES = GaussianMixtureClassifier(1).fit(ROWS, LABELS.data)
SHARES = np.ma.array([0.5, 0.5], mask=[True, False])

BESIDE: dict[str, tuple[str, Callable[[], Any]]] = {
    "classes": ("y", lambda: GaussianMixtureClassifier(1).fit(ROWS, LABELS)),
    "names of classes": ("y", lambda: GaussianMixtureClassifier(1).fit(ROWS, TEXTS)),
    "classes of own mixtures": (
        "y",
        lambda: GaussianMixtureClassifier(1, structures="own").fit(ROWS, LABELS),
    ),
    "accuracy": ("y", lambda: CLASSES.score(ROWS, LABELS)),
    "errors of classes": ("y", lambda: CLASSES.standard_errors(ROWS, LABELS)),
    "agreement": ("labels", lambda: GIVEN.label_agreement(ROWS, LABELS)),
    "groups": ("groups", lambda: sweep(ROWS, [1], groups=np.ma.array(LABELS), n_init=1)),
    "shares of classes": (
        "priors",
        lambda: GaussianMixtureClassifier(1, priors=SHARES).fit(ROWS, LABELS.data),
    ),
    "first weights": (
        "'weights'",
        lambda: GaussianMixture(2, weights_init=SHARES).fit(ROWS),
    ),
    "first means": ("'means'", lambda: GaussianMixture(2, means_init=MASKED[:2]).fit(ROWS)),
    "means of a prior": (
        "'mean_prior'",
        lambda: BayesianGaussianMixture(2, mean_prior=MASKED[0]).fit(ROWS),
    ),
    "parameters": (
        "weights",
        lambda: GaussianMixture.from_parameters(SHARES, ROWS[:2], [np.eye(3)] * 2),
    ),
}


@pytest.mark.parametrize(("what", "use"), BESIDE.values(), ids=BESIDE)
def test_what_stands_beside_rows_is_not_taken_from_behind_a_mask(
    what: str, use: Callable[[], Any]
) -> None:
    with pytest.raises(DataError, match=f"{what} is masked"):
        use()
