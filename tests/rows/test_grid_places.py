"""Numbers of rows on a grid are those of its blocks, one after another."""

from __future__ import annotations

import pickle
from itertools import product

import numpy as np
import pytest

from daskgmm.rows.labelled.grid_rows import GridPlaces

DIMS = ("time", "y", "x")


@pytest.mark.parametrize(
    "chunks",
    [
        ((3,), (4,), (5,)),
        ((2, 2, 1), (3, 3), (4, 1)),
        ((1, 3, 0, 2), (5, 2, 2), (1, 1, 3)),
        ((2, 2), (0, 3), (0, 0, 2)),
    ],
)
def test_every_row(chunks: tuple[tuple[int, ...], ...]) -> None:
    places, number = GridPlaces.of(DIMS, chunks), 0
    for block in product(*(range(len(each)) for each in chunks)):
        starts = [sum(each[:i]) for each, i in zip(chunks, block, strict=True)]
        sizes = [each[i] for each, i in zip(chunks, block, strict=True)]
        for within in np.ndindex(*sizes):
            point = [start + i for start, i in zip(starts, within, strict=True)]
            expected = ", ".join(f"{d}[{i}]" for d, i in zip(DIMS, point, strict=True))
            assert places(number) == expected
            number += 1
    assert places(number) == f"row {number} beyond the last block"


def test_no_rows() -> None:
    assert GridPlaces.of(DIMS, ((2, 2), (0,), (5,)))(0) == "row 0 beyond the last block"
    assert GridPlaces.of(("y",), ((),))(3) == "row 3 beyond the last block"


def test_many_blocks_take_no_room() -> None:
    chunks = ((1,) * 20_000, (100,) * 300 + (7,), (64,) * 500)
    places = GridPlaces.of(DIMS, chunks)
    assert len(pickle.dumps(places)) < 300
    last = 20_000 * 30_007 * 32_000 - 1
    assert places(last) == "time[19999], y[30006], x[31999]"
