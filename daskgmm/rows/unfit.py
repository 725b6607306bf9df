"""What is refused before it becomes a plain array, with what to give instead."""

from __future__ import annotations

from typing import Any

import numpy as np

from daskgmm.errors import DataError


def check_plain(x: Any, what: str = "X") -> None:
    """Raise `DataError` for arrays whose values a plain array loses, or cannot hold.

    Of a lazy array, what its blocks are announced to be counts too. Sparse matrices of SciPy are
    left to scikit-learn's own words.
    """
    module, kind = type(x).__module__, type(x).__name__
    package = module.split(".")[0]
    if "sparse" in (package, _package(getattr(x, "_meta", None))):
        raise DataError(
            f"{what} is a sparse array, and every value takes part in a density: give what its "
            "todense() returns, or fewer columns of it; of a lazy one "
            "X.map_blocks(lambda block: block.todense())."
        )
    if package == "pint":
        raise DataError(
            f"{what} holds quantities of pint, whose unit a mixture does not keep: give their "
            "numbers in the unit of your choice, as X.to('m').magnitude, of xarray "
            "X.pint.dequantify()."
        )
    if package == "xarray" and kind == "DataTree":
        groups = ", ".join(path for path, node in x.subtree_with_keys if node.has_data) or "none"
        raise DataError(
            f"{what} is a DataTree, whose groups may lie on several grids; give one of them, as "
            f"X['group'].to_dataset(). Groups with variables: {groups}."
        )


def check_block(block: Any) -> None:
    """Raise `DataError` if a block of a lazy array is no NumPy array."""
    if isinstance(block, np.ndarray):
        return
    check_plain(block, "A block of X")
    kind = type(block)
    raise DataError(
        f"A block of X is a {kind.__module__}.{kind.__qualname__}, not a NumPy array; convert it, "
        "for sparse blocks with X.map_blocks(lambda block: block.toarray())."
    )


def _package(x: Any) -> str:
    return type(x).__module__.partition(".")[0]
