"""A back end of a device: whole blocks go in, moments and predictions come out.

What stands in for the device has arrays of its own, which nothing but the two functions of the seam
makes or reads: NumPy can neither convert them nor compute with them.
"""

import dask
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from daskgmm import GaussianMixture
from daskgmm.gaussian.kernels.backend import Backend
from daskgmm.gaussian.kernels.backends import BACKENDS
from daskgmm.gaussian.kernels.natural import NaturalKernel
from daskgmm.gaussian.kernels.prediction import Prediction
from daskgmm.gaussian.moments import Moments
from daskgmm.testing import BackendTests


class Refused(Exception):
    """Something above the seam took an array of the device for one of NumPy."""


class DeviceArray:
    """An array in the memory of the device, with the few operations that it has."""

    __array_ufunc__ = None

    def __init__(self, values):
        self._values = values

    def __array__(self, *args, **kwargs):
        raise Refused

    def __iter__(self):
        raise Refused

    def __len__(self):
        return len(self._values)

    def __sub__(self, other):
        return DeviceArray(self._values - other._values)

    def __mul__(self, other):
        return DeviceArray(self._values * other._values)

    def __matmul__(self, other):
        return DeviceArray(self._values @ other._values)

    @property
    def T(self):
        return DeviceArray(self._values.T)

    def take(self, rows):
        return DeviceArray(self._values[rows])

    def logsumexp(self):
        """Over components, the first axis."""
        largest = self._values.max(0)
        return DeviceArray(largest + np.log(np.exp(self._values - largest).sum(0)))

    def exp(self):
        return DeviceArray(np.exp(self._values))

    def argmax(self):
        return DeviceArray(self._values.argmax(0))

    def sum(self):
        return DeviceArray(self._values.sum())


def to_device(values, calls):
    calls.append(("to", np.shape(values)))
    return DeviceArray(np.array(values, np.float64))


def from_device(array, calls):
    calls.append(("from", np.shape(array._values)))
    return array._values


class DeviceModel:
    """A natural kernel on the device."""

    def __init__(self, kernel, calls):
        d = len(kernel.center)
        left, right = kernel.structure.statistic.pairs(d)
        self.calls = calls
        self.theta, self.center = (to_device(each, calls) for each in (kernel.theta, kernel.center))
        self.left = np.concatenate([np.zeros(1 + d, int), left])
        self.right = np.concatenate([np.arange(1 + d), right])

    def statistics(self, x):
        """T(x), (p, n): each entry is the product of two of 1 and the centred features."""
        z = to_device(np.column_stack([np.ones(len(x)), x]), self.calls)
        shift = to_device(np.append(0.0, self.center._values), self.calls)
        rows = (z - shift).T
        return rows.take(self.left) * rows.take(self.right)

    def densities(self, x):
        """T(x), log joint densities (k, n) and log densities (n,)."""
        statistics = self.statistics(x)
        joint = self.theta @ statistics
        return statistics, joint, joint.logsumexp()


class DevicePrediction(Prediction):
    def __init__(self, model):
        self.model = model

    def fill(self, x, targets, half_range):
        inside = (np.abs(x - self.model.center._values) <= half_range).all(axis=1)
        n = len(x) if inside.all() else int(np.argmin(inside))
        if n == 0:
            return 0
        # Rows are computed one by one, so that their bits do not depend on each other.
        for row in range(n):
            self._fill_row(x[row : row + 1], targets.part(slice(row, row + 1)))
        return n

    def _fill_row(self, x, targets):
        _, joint, logs = self.model.densities(x)
        if targets.labels is not None:
            targets.labels[:] = from_device(joint.argmax(), self.model.calls)
        if targets.log_densities is not None:
            targets.log_densities[:] = from_device(logs, self.model.calls)
        if targets.responsibilities is not None:
            gamma = from_device((joint - logs).exp().T, self.model.calls)
            levels = targets.levels
            targets.responsibilities[:] = np.rint(levels * gamma) if levels else gamma


class Device(Backend):
    """Natural kernels of full and diagonal covariances; others go to NumPy as a whole."""

    def __init__(self):
        self.calls = []

    def moments(self, kernels, blocks, rows=None):
        if not all(map(self.has, kernels)):
            return BACKENDS["numpy"].moments(kernels, blocks, rows)
        models = [DeviceModel(kernel, self.calls) for kernel in kernels]
        sums = [np.zeros(kernel.shape[:2]) for kernel in kernels]
        totals, weight, n = [0.0] * len(models), 0.0, 0
        for block in (block for block in blocks if len(block.x)):
            x = np.asarray(block.x, np.float64)
            w = np.ones(len(x)) if block.weights is None else block.weights.astype(float)
            x = np.where(w[:, None] > 0, x, kernels[0].center)
            for i, model in enumerate(models):
                statistics, joint, logs = model.densities(x)
                heavy = to_device(w, self.calls)
                gamma = (joint - logs).exp() * heavy
                sums[i] += from_device(statistics @ gamma.T, self.calls)
                totals[i] += float(from_device((logs * heavy).sum(), self.calls))
            weight, n = weight + w.sum(), n + len(w)
        return [
            Moments(found, kernel.reference, None, total, weight, n)
            for found, kernel, total in zip(sums, kernels, totals, strict=True)
        ]

    def prediction(self, kernel):
        return DevicePrediction(DeviceModel(kernel, self.calls)) if self.has(kernel) else None

    def has(self, kernel):
        natural = isinstance(kernel, NaturalKernel) and kernel.classes is None
        return natural and kernel.outliers_of is None and kernel.structure.name in ("full", "diag")


DEVICE = Device()


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    monkeypatch.setitem(BACKENDS, "device", DEVICE)


class TestDevice(BackendTests):
    name, backend = "device", DEVICE


@pytest.mark.parametrize("structure", ["full", "diag", "tied"])
def test_fits_and_predictions_are_those_of_numpy(structure):
    """The device gets whole blocks, and nothing above the seam sees its arrays."""
    random = np.random.default_rng(0)
    x = np.concatenate([random.normal(size=(400, 3)) + center for center in (0.0, 5.0)])
    start = {"means_init": [[0.0] * 3, [5.0] * 3], "max_iter": 20, "acceleration": None}
    found, DEVICE.calls[:] = {}, []
    for name in ("device", "numpy"):
        with dask.config.set({"daskgmm.backend": name}):
            mixture = GaussianMixture(2, covariance_type=structure, **start).fit(x)
            found[name] = mixture, mixture.predict(x), mixture.predict_proba(x)
            found[name] += (mixture.score_samples(x),)
    (own, *predicted), (other, *expected) = found.values()
    assert_allclose(own.means_, other.means_, rtol=1e-9, atol=1e-9)
    assert_allclose(own.lower_bound_, other.lower_bound_, rtol=1e-12)
    assert_array_equal(predicted[0], expected[0])
    assert_allclose(predicted[1], expected[1], rtol=0, atol=1e-9)
    assert_allclose(predicted[2], expected[2], rtol=1e-9)
    blocks = [shape for way, shape in DEVICE.calls if way == "to" and shape == (len(x), 4)]
    assert (len(blocks) > 2) == (structure != "tied"), (
        "whole blocks, where the device has the model"
    )
    assert not any(way == "from" and len(x) in shape for way, shape in DEVICE.calls)
