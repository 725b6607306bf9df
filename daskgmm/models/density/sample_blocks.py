"""Rows drawn from a mixture, as many as wanted, whatever the chunks.

Rows come in blocks of a fixed length, each from a stream of its own: Philox, a counter-based
generator (Salmon et al. 2011, https://doi.org/10.1145/2063384.2063405), whose key is the seed and
whose counter begins at the number of the block. So any chunk can be drawn by itself, again and
anywhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daskgmm.arrays import Array
from daskgmm.blas import one_blas_thread
from daskgmm.gaussian.coordinates import Coordinates
from daskgmm.gaussian.parameters import Parameters
from daskgmm.models.mixtures.sampling import sample_mixture
from daskgmm.models.predictions.place import Place

BLOCK_ROWS = 16_384
"""Rows of a block. Another number draws other rows."""

CHUNK_NBYTES = 2**25
"""Size of a chunk unless it is given."""


@dataclass(frozen=True, slots=True)
class Sampler:
    """Draws any stretch of an endless sample.

    Attributes
    ----------
    parameters : Parameters
    coordinates : Coordinates or None
        Of the parameters.
    box : pair of ndarray of shape (d,), or None
        Corners of what the noise is uniform over.
    seed : int
    """

    parameters: Parameters
    coordinates: Coordinates | None
    box: tuple[Array, Array] | None
    seed: int

    @property
    def n_columns(self) -> int:
        """Columns of the rows, d."""
        own = self.coordinates
        return self.parameters.n_features if own is None else own.n_columns

    def rows(self, first: int, stop: int) -> tuple[Array, NDArray[np.int64]]:
        """Return rows from one number to another, (m, d), and their components, -1 for noise."""
        x, components = np.empty((stop - first, self.n_columns)), np.empty(stop - first, np.int64)
        for block in range(first // BLOCK_ROWS, -(-stop // BLOCK_ROWS)):
            start = block * BLOCK_ROWS
            low, high = max(first, start), min(stop, start + BLOCK_ROWS)
            drawn, labels = self._block(block)
            x[low - first : high - first] = drawn[low - start : high - start]
            components[low - first : high - first] = labels[low - start : high - start]
        return x, components

    def blocks(self, n: int) -> Iterator[tuple[int, Array]]:
        """Yield the first n rows block by block, with the number of the first row of each."""
        for first in range(0, n, BLOCK_ROWS):
            yield first, self.rows(first, min(n, first + BLOCK_ROWS))[0]

    def _block(self, number: int) -> tuple[Array, NDArray[np.int64]]:
        key = np.random.SeedSequence(self.seed).generate_state(2, np.uint64)
        # The streams of RandomState never change, those of Generator may.
        random = np.random.RandomState(np.random.Philox(key=key, counter=[0, 0, 0, number]))
        with one_blas_thread():  # more of them round otherwise
            z, labels = sample_mixture(self.parameters, BLOCK_ROWS, random, self.box)
            order = random.permutation(BLOCK_ROWS)
            x = z if self.coordinates is None else self.coordinates.undo(z)
        return x[order], labels[order]


DRAWN = Place("row {} of a block that was drawn".format)
"""The place of rows of a sample."""


def sample_lazily(sampler: Sampler, n: int, chunks: int | None, dtype: str) -> tuple[Any, Any]:
    """Return rows (n, d) and components (n,) as lazy Dask arrays; see `Density.sample_lazily`."""
    import dask.array as da

    d = sampler.n_columns
    lengths = _chunks(n, d, chunks)
    both = da.map_blocks(
        _chunk, sampler, chunks=(lengths, (d + 1,)), dtype=np.float64, meta=np.empty((0, 0))
    )
    return both[:, :d].astype(dtype), both[:, d].astype(np.int64)


def _chunks(n: int, d: int, chunks: int | None) -> tuple[int, ...]:
    """Return lengths of chunks: by default whole blocks, which are drawn once."""
    rows = chunks or max(1, CHUNK_NBYTES // (8 * d * BLOCK_ROWS)) * BLOCK_ROWS
    whole, rest = divmod(n, rows)
    return (rows,) * whole + (rest,) * (rest > 0)


def _chunk(sampler: Sampler, block_info: Any = None) -> Array:
    first, stop = block_info[None]["array-location"][0]
    x, components = sampler.rows(first, stop)
    return np.column_stack([x, components])
