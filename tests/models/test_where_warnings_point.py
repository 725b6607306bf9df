"""Warnings point at the line of the user's that called, whatever they are about."""

import warnings

import dask.array as da
import numpy as np
import pytest
import xarray as xr

from daskgmm import GaussianMixture, GaussianMixtureClassifier, sweep
from daskgmm.errors import (
    ChoiceWarning,
    DecodingWarning,
    DegenerateComponentWarning,
    ResolutionWarning,
    ScaleWarning,
    WeightsWarning,
)

X = np.random.default_rng(0).normal(size=(400, 2)) + np.arange(400)[:, None] % 2 * 8
FAR = np.r_[X, [[0.0, 9.96921e36]]]
NARROW = np.r_[X[::2], np.zeros((200, 2)) + 8.0]
SMALL = X * 1e-4
COUNTS = np.arange(1, 401) % 5 + 1
CLASSES = np.arange(401) % 2


def mixture(k=2, **settings):
    return GaussianMixture(k, **{"init_params": "k-means++", "random_state": 0, **settings})


def swept(x, **settings):
    return sweep(x, range(1, 3), random_state=0, **settings)


def attributes(x):
    return xr.DataArray(x, dims=("row", "column"), attrs={"_FillValue": -9.0})


def beside(x):
    values = xr.Dataset(
        {"a": ("row", x[:, 0], {"ancillary_variables": "b"}), "b": ("row", x[:, 1])}
    )
    return GaussianMixture().fit(values)


FITTED = GaussianMixture(random_state=0).fit(X)

CASES = {
    "fit, far": (lambda: mixture().fit(FAR), ResolutionWarning),
    "fit, rests": (lambda: mixture().fit(NARROW), DegenerateComponentWarning),
    "fit, units": (lambda: mixture().fit(SMALL), ScaleWarning),
    "fit of a lazy array": (lambda: mixture().fit(da.from_array(FAR)), ResolutionWarning),
    "fit in axes": (lambda: mixture(pca=1).fit(FAR), ResolutionWarning),
    "fit_predict, far": (lambda: mixture().fit_predict(FAR), ResolutionWarning),
    "fit_predict, rests": (lambda: mixture().fit_predict(NARROW), DegenerateComponentWarning),
    "fit_predict, units": (lambda: mixture().fit_predict(SMALL), ScaleWarning),
    "sweep, far": (lambda: swept(FAR), ResolutionWarning),
    "sweep, units": (lambda: swept(SMALL), ScaleWarning),
    "sweep, weights": (lambda: swept(X, sample_weight=COUNTS), WeightsWarning),
    "best": (lambda: sweep(X, range(2, 4), random_state=0).best(), ChoiceWarning),
    "bic": (lambda: FITTED.bic(X, COUNTS), WeightsWarning),
    "aic": (lambda: FITTED.aic(X, COUNTS), WeightsWarning),
    "icl": (lambda: FITTED.icl(X, sample_weight=COUNTS), WeightsWarning),
    "criteria": (lambda: mixture().fit(X, sample_weight=COUNTS).criteria_, WeightsWarning),
    "classifier": (lambda: GaussianMixtureClassifier().fit(FAR, CLASSES), ResolutionWarning),
    "classifier of own structures": (
        lambda: GaussianMixtureClassifier(structures="own").fit(FAR, CLASSES),
        ResolutionWarning,
    ),
    "fit of an array with attributes": (
        lambda: mixture().fit(attributes(X), feature_dims=("column",)),
        DecodingWarning,
    ),
    "variables beside": (lambda: beside(X), UserWarning),
}


@pytest.mark.parametrize("case", CASES)
def test_at_the_line_that_called(case):
    act, category = CASES[case]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        act()
    assert category in {each.category for each in caught}
    assert {each.filename for each in caught} == {__file__}


def test_predictions_too(tmp_path):
    fitted = mixture(missing="drop").fit(X)
    fitted.feature_dims_ = ("column",)
    for act in (
        lambda: fitted.score(attributes(X)),
        lambda: fitted.predict(attributes(X)),
        lambda: fitted.predict_to_zarr(attributes(X), tmp_path / "out.zarr"),
    ):
        with pytest.warns(DecodingWarning) as caught:
            act()
        assert {each.filename for each in caught} == {__file__}
