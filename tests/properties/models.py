"""Fits of drawn rows, and how far two models may be apart."""

import tempfile
import warnings
from contextlib import contextmanager

import numpy as np
from hypothesis import reject
from sklearn.exceptions import ConvergenceWarning

from daskgmm import GaussianMixture
from daskgmm.errors import (
    DegenerateComponentWarning,
    ResolutionWarning,
    ScaleWarning,
    SettingError,
    WeightsWarning,
)
from daskgmm.gaussian.covariance.structures import STRUCTURES
from daskgmm.models.settings.factors import name_with_factors

TOLD = (
    ConvergenceWarning,
    DegenerateComponentWarning,
    ResolutionWarning,
    ScaleWarning,
    WeightsWarning,
)
"""Warnings that are right for rows with something wrong; any other one is a finding."""


@contextmanager
def quiet(*others):
    """Let a fit warn of its rows; any other warning is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for kind in (*TOLD, *others):
            warnings.simplefilter("ignore", kind)
        warnings.filterwarnings("ignore", "Best performing initialization")
        warnings.filterwarnings("ignore", ".*feature names", UserWarning)
        yield


def fit(mixture, x, weights=None, **given):
    """Return a fitted mixture; settings that exclude each other are no example."""
    with quiet():
        try:
            return mixture.fit(x, sample_weight=weights, **given)
        except SettingError:
            reject()


def structure_of(settings):
    """Return the entry of the table that settings name."""
    name = name_with_factors(settings["covariance_type"], settings.get("n_factors"))
    return STRUCTURES[name]


def begun(table, settings, max_iter=3):
    """Return a mixture with a start of its own: some rows, and the covariance of all."""
    x, random = np.asarray(table.x, float), table.random
    chosen = x[random.choice(len(x), table.k, replace=False)]
    shares = random.uniform(1.0, 2.0, table.k)
    equal = settings.get("equal_weights", False)
    return GaussianMixture(
        table.k, weights_init=None if equal else shares / shares.sum(), means_init=chosen,
        precisions_init=precisions_of(np.cov(x.T).reshape(2 * x.shape[1:]), settings, table.k),
        acceleration=None, tol=0.0, max_iter=max_iter, reg_covar=1e-9 * x.var(0).mean(), **settings,
    )  # fmt: skip


def precisions_of(covariance, settings, k):
    """Return `precisions_init` of k components with one covariance (d, d)."""
    structure = structure_of(settings)
    precision = structure.precision
    own = precision.of_matrices(np.tile(covariance, (structure.n_covariances(k), 1, 1)))
    inverse = precision.precisions(precision.factorise(np.ascontiguousarray(own)))
    return structure.external(inverse, len(covariance))


CLOSE = 1e-7
"""By how much models may differ for rounding, in standard deviations."""

ITERATED = 1e-5
"""The same where an M-step is found by iteration, which ends at a small step."""

INEXACT = 0.05
"""The same where an M-step ends before its maximum, at a gain that rounding may move."""


def closeness(settings):
    """Return by how much models of some settings may differ for rounding."""
    structure = structure_of(settings)
    if structure.constrains_means:
        return INEXACT
    return CLOSE if structure.free else ITERATED


def assert_same_bits(one, other):
    """Compare all parameters to the bit."""
    for name in ("weights_", "means_", "covariances_", "precisions_cholesky_"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)
    assert one.lower_bounds_ == other.lower_bounds_
    assert one.n_iter_ == other.n_iter_


def assert_alike(one, other, rtol):
    """Compare weights, means and covariances in units of the spread that a model has."""
    weights, means = one.weights_, one.means_in_data_units()
    covariances = one.covariances_in_data_units()
    spread = np.sqrt(np.einsum("kii->ki", covariances))
    spread = np.maximum(spread, spread.max(0) * 1e-3 + np.finfo(float).tiny)
    np.testing.assert_allclose(other.weights_, weights, atol=rtol, err_msg="weights")
    moved = (other.means_in_data_units() - means) / (spread + np.spacing(np.abs(means)) / rtol)
    np.testing.assert_allclose(moved, 0.0, atol=rtol, err_msg="means in standard deviations")
    changed = other.covariances_in_data_units() - covariances
    changed /= spread[:, :, None] * spread[:, None, :]
    np.testing.assert_allclose(changed, 0.0, atol=rtol, err_msg="covariances, relative")


@contextmanager
def folder():
    """A folder that goes with the example: fixtures live as long as a whole property."""
    with tempfile.TemporaryDirectory(prefix="daskgmm-properties-") as place:
        yield place
