"""A back end of one's own is one class and one line in the table."""

import dask
import numpy as np
import pytest
import zarr
from numpy.testing import assert_allclose
from scipy.special import logsumexp

from daskgmm import GaussianMixture, sweep
from daskgmm.cli import main
from daskgmm.errors import DataError
from daskgmm.gaussian.kernels.backend import Backend
from daskgmm.gaussian.kernels.backends import BACKENDS
from daskgmm.gaussian.kernels.kernel import Sums
from daskgmm.gaussian.kernels.whitened import accumulate_about
from daskgmm.gaussian.moments import Moments
from daskgmm.models.model_file import load_model
from daskgmm.testing import BackendTests


class BlockByBlock(Backend):
    """Takes each block as it is, without tiles."""

    calls = 0

    def moments(self, kernels, blocks, rows=None):
        type(self).calls += 1
        sums = [Sums.zeros(kernel.structure, *kernel.shape[1:]) for kernel in kernels]
        totals, weight, n = np.zeros(len(kernels)), 0.0, 0
        for block in (block for block in blocks if len(block.x)):
            x = np.asarray(block.x, np.float64).T.copy()
            w = np.ones(len(block.x)) if block.weights is None else block.weights
            x[:, w == 0] = 0.0
            weight, n = weight + w.sum(), n + len(w)
            for i, kernel in enumerate(kernels):
                with kernel.workspace(len(w)) as work:
                    joint = self._log_joint(kernel, work, x)
                logs = logsumexp(joint, axis=0)
                totals[i] += w @ logs
                points, gamma = kernel.reference - kernel.center, w * np.exp(joint - logs)
                z = x - kernel.center[:, None]
                accumulate_about(kernel.structure, points, z, gamma, sums[i], kernel.axes)
        return [
            Moments(each.sums, kernel.reference, each.pooled, total, weight, n)
            for each, kernel, total in zip(sums, kernels, totals, strict=True)
        ]

    def _log_joint(self, kernel, work, x):
        parts = []
        for part in np.split(x, range(work.joint.shape[1], x.shape[1], work.joint.shape[1]), 1):
            tile = self.tile(kernel, work, part.shape[1])
            tile.rows[:] = part - kernel.center[:, None]
            tile.log_joint()
            parts.append(tile.joint.copy())
        return np.concatenate(parts, axis=1)


MINE = BlockByBlock()


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    monkeypatch.setitem(BACKENDS, "mine", MINE)


def test_one_that_knows_no_tails_says_so():
    x = np.random.default_rng(0).normal(size=(200, 2))
    with (
        dask.config.set({"daskgmm.backend": "mine"}),
        pytest.raises(ValueError, match="sums of tails"),
    ):
        GaussianMixture(2, tails="t").fit(x)


class TestBlockByBlock(BackendTests):
    name, backend = "mine", MINE


class TestNumpy(BackendTests):
    name, backend = "numpy", BACKENDS["numpy"]


@pytest.fixture
def x():
    random = np.random.default_rng(0)
    return np.concatenate([random.normal(size=(900, 3)) + center for center in (0.0, 6.0)])


@pytest.mark.slow
@pytest.mark.parametrize("structure", ["full", "tied", "diag", "spherical"])
def test_fits_and_sweeps_are_those_of_numpy(x, structure):
    settings = {"covariance_type": structure, "random_state": 0}
    with dask.config.set({"daskgmm.backend": "mine"}):
        before = BlockByBlock.calls
        found = GaussianMixture(2, **settings).fit(x)
        assert BlockByBlock.calls > before
        best = sweep(x, (1, 2, 3), structure, random_state=0).best()
        predicted = found.predict_proba(x)
    expected = GaussianMixture(2, **settings).fit(x)
    assert_allclose(found.means_, expected.means_, rtol=1e-7, atol=1e-9)
    assert_allclose(predicted, expected.predict_proba(x), atol=1e-9)
    assert best.n_components == 2


def test_the_command_line_takes_it_from_the_configuration(x, tmp_path):
    zarr.create_array(tmp_path / "x.zarr", data=x)
    data, out = str(tmp_path / "x.zarr"), str(tmp_path / "m.json")
    with dask.config.set({"daskgmm.backend": "mine"}):
        before = BlockByBlock.calls
        main(["fit", data, "-k", "2", "-o", out, "-q"], standalone_mode=False)
        assert BlockByBlock.calls > before
    assert_allclose(load_model(out).weights_, 0.5, atol=0.01)


def test_an_unknown_one_is_refused_before_a_row_is_read(x):
    events = []
    with (
        dask.config.set({"daskgmm.backend": "gpu"}),
        pytest.raises(
            ValueError, match=r"daskgmm\.backend is 'gpu', which is not one of numpy, .*, mine"
        ),
    ):
        GaussianMixture(2).fit(x, listen=events.append)
    assert not events


def test_a_back_end_without_labels_is_told_so_before_a_row_is_read():
    x, events = np.random.default_rng(0).normal(size=(60, 2)), []
    given = {"labels": np.arange(60) % 2, "listen": events.append}
    with dask.config.set({"daskgmm.backend": "mine"}):
        with pytest.raises(DataError, match="no labels of"):
            GaussianMixture(2).fit(x, **given)
        with pytest.raises(DataError, match="no labels of"):
            sweep(x, [2, 3], **given)
    assert not events
