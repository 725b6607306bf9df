"""Tests for outputs of predictions: subclass `OutputTests` and name one."""

from __future__ import annotations

import itertools
import pickle
from copy import copy
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import zarr
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

from daskgmm.arrays import Array
from daskgmm.gaussian.covariance.structures import STRUCTURES
from daskgmm.gaussian.parameters import Parameters
from daskgmm.models.gaussian_mixture import GaussianMixture
from daskgmm.models.predictions.made_outputs import Outputs
from daskgmm.models.predictions.output import Asked, Output
from daskgmm.models.predictions.outputs import OUTPUTS
from daskgmm.models.predictions.place import Place
from daskgmm.models.predictions.prediction import Predictor
from daskgmm.models.predictions.room import OF_OUTLIERS
from daskgmm.models.settings.factors import settings_of
from daskgmm.names import DTYPES
from daskgmm.passes.transform import Transform
from daskgmm.testing.mixtures import random_mixture

K, D, N = 4, 3, 1500

PLACE = Place(str)

MERGED = (0, 1, 0, 1)
"""Cluster of each component, for outputs of merged ones."""

OF_FACTORS = ("latent", "reconstruction_error")
"""Outputs of mixtures with factors alone."""


class OutputTests:
    """Tests of every output of predictions.

    Attributes
    ----------
    name : str
        Name of an entry of `OUTPUTS`.
    structures : tuple of str
        Covariance structures of mixtures that have it.
    q : int
        Number of factors of these.
    """

    name: str
    structures: tuple[str, ...] = tuple(STRUCTURES)
    q: int = 0

    def rows(self) -> Array:
        """Return rows that the components of `random_mixture` overlap on, shape (N, D)."""
        return 2 * np.random.default_rng(0).normal(size=(N, D))

    def arrays(self, dtype: str = "float64", k: int = K, *, missing: bool = False) -> list[Output]:
        """Return the arrays of this output."""
        return self._made(self.name, self._asked(k, dtype, missing=missing))

    def _asked(self, k: int, dtype: str, *, missing: bool = False) -> Asked:
        return Asked(k, dtype, min(2, k), missing, q=self.q, clusters=MERGED[:k], d=D)

    def _made(self, name: str, asked: Asked) -> list[Output]:
        """Return the arrays of any output; none for one of factors that are not there."""
        if not self.q and name in OF_FACTORS:
            return []
        return list(OUTPUTS[name](asked))

    def test_it_is_in_the_table(self) -> None:
        """Writers and the command line look names up there."""
        arrays = self.arrays()
        assert arrays
        own = {array.name for array in arrays}
        assert len(own) == len(arrays)
        asked = self._asked(K, "float64")
        others = (self._made(name, asked) for name in OUTPUTS)
        names = [array.name for made in others for array in made]
        assert len(names) == len(set(names)), "two outputs write arrays of one name"

    def test_values_have_the_type_and_shape_that_were_promised(self) -> None:
        """For every structure and type, with one component too; no value is out of range."""
        for structure in map(STRUCTURES.__getitem__, self.structures):
            for k in (1, K):
                predictor = Predictor(random_mixture(structure, k, D))
                for dtype in DTYPES:
                    for array in self.arrays(dtype, k):
                        raw = values(predictor, array, self.rows())
                        assert raw.shape == (N, *array.shape)
                        assert len(array.dims) == len(array.shape)
                        assert not np.isnan(raw).any()
                        written = array.encode(raw)
                        limits = np.iinfo if array.dtype.kind in "iu" else np.finfo
                        allowed = limits(array.dtype)
                        assert written.min() >= allowed.min
                        assert written.max() <= allowed.max

    def test_values_do_not_depend_on_how_rows_are_cut(self) -> None:
        """Nor on which other arrays are computed with them."""
        rows = self.rows()
        alone = Outputs(tuple(self.arrays()))
        names = [name for name in OUTPUTS if self.q or name not in OF_FACTORS]
        everything = Outputs.of(names, self._asked(K, "float64"))
        for structure in map(STRUCTURES.__getitem__, self.structures):
            predictor = Predictor(random_mixture(structure, K, D))
            whole = alone.predict(predictor, rows, PLACE)
            together = everything.predict(predictor, rows, PLACE)
            parts = [
                alone.predict(predictor, rows[first:stop], PLACE)
                for first, stop in itertools.pairwise((0, 1, 2, 3, 5, 8, 13, 37, 111))
            ]
            for name, expected in whole.items():
                pieces = np.concatenate([part[name] for part in parts])
                assert_allclose(pieces, expected[:111], rtol=1e-9, atol=1e-12)
                assert_array_equal(together[name], expected)

    def test_rows_that_miss_a_value_get_the_fill_value(self) -> None:
        """And the other rows get what they get without them."""
        rows, holed = self.rows(), self.rows()
        holed[::5, 1] = np.nan
        predictor = Predictor(self._random(), transform=Transform(drop_missing=True))
        for dtype in DTYPES:
            outputs = Outputs(tuple(self.arrays(dtype, missing=True)))
            got = outputs.predict(predictor, holed, PLACE)
            expected = outputs.predict(predictor, rows, PLACE)
            for array in outputs.arrays:
                assert_array_equal(got[array.name][::5], filled(array, len(rows[::5])))
                present = np.arange(N) % 5 != 0
                assert_allclose(
                    got[array.name][present], expected[array.name][present], rtol=1e-9, atol=1e-12
                )

    def test_it_travels(self) -> None:
        """Workers compute it: it pickles, by the name of its function."""
        predictor, rows = Predictor(self._random()), self.rows()
        for array in self.arrays():
            there = pickle.loads(pickle.dumps(array))
            assert_array_equal(values(predictor, there, rows), values(predictor, array, rows))

    @pytest.mark.parametrize("dtype", ["float32", "uint8"])
    def test_it_is_written_to_zarr(self, dtype: str, tmp_path: Path) -> None:
        """Encoded, with attributes that say how."""
        rows, mixture = self.rows(), self.mixture()
        outputs = Outputs(tuple(self.arrays(dtype, 2)))
        expected = outputs.predict(Predictor(mixture._parameters()), rows, PLACE)
        stored = zarr.create_array(tmp_path / "x.zarr", data=rows, chunks=(400, D))
        mixture.predict_to_zarr(stored, tmp_path / "p.zarr", [self.name], dtype=dtype, top=2)
        group = zarr.open_group(tmp_path / "p.zarr")
        for array in outputs.arrays:
            written = group[array.name]
            assert isinstance(written, zarr.Array)
            assert written.dtype == array.dtype
            assert_allclose(np.asarray(written[:], float), expected[array.name], rtol=1e-6)
            attributes = dict(written.attrs)
            assert attributes.items() >= array.attributes.items()

    def test_it_is_written_to_parquet(self, tmp_path: Path) -> None:
        """Beside the key, one column for each number of a row."""
        pd = pytest.importorskip("pandas")
        rows, mixture = self.rows(), self.mixture()
        outputs = Outputs(tuple(self.arrays("float64", 2)))
        expected = outputs.predict(Predictor(mixture._parameters()), rows, PLACE)
        frame = pd.DataFrame(rows, columns=["a", "b", "c"]).assign(key=np.arange(N))
        out = tmp_path / "p.parquet"
        mixture.predict_to_parquet(frame, out, [self.name], key="key", dtype="float64", top=2)
        table = pd.read_parquet(out).set_index("key").sort_index()
        columns = [expected[array.name].reshape(N, -1) for array in outputs.arrays]
        assert_allclose(table.to_numpy(), np.concatenate(columns, axis=1), rtol=1e-12, atol=1e-15)

    def _random(self) -> Parameters:
        """Return a random mixture of the first structure."""
        return random_mixture(STRUCTURES[self.structures[0]], K, D)

    def mixture(self) -> GaussianMixture:
        """Return a mixture of two components that is fitted to the rows."""
        tails = "contaminated" if self.name in OF_OUTLIERS else None
        return copy(_fitted(self.structures[0], tails))


@cache
def _fitted(structure: str, tails: str | None) -> GaussianMixture:
    settings = {**settings_of(structure), "tails": tails}
    mixture = GaussianMixture(2, tol=0.1, init_params="k-means++", random_state=0, **settings)
    mixture.fit(OutputTests().rows()).clusters_ = np.array(MERGED[:2])
    return mixture


def values(predictor: Predictor, array: Output, rows: Array) -> NDArray[np.generic]:
    """Return the values of one array before they are encoded."""
    parts = [array.compute(posterior) for _, posterior in predictor.posteriors(rows, PLACE)]
    return np.concatenate(parts)


def filled(array: Output, rows: int) -> NDArray[np.generic]:
    """Return so many rows of the fill value of an array."""
    return np.full((rows, *array.shape), array.fill, array.dtype)
