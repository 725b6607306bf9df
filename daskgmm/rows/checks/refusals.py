"""Refusal of arrays that a plain array cannot represent, with advice."""

from __future__ import annotations

from typing import Any

import numpy as np

from daskgmm.errors import DataError


def check_plain(x: Any, what: str = "X") -> None:
    """Raise `DataError` for arrays whose values a plain array loses, or cannot hold.

    The meta of a lazy array counts as well. scikit-learn refuses sparse matrices of SciPy.
    """
    package = package_of(x)
    if "sparse" in (package, package_of(getattr(x, "_meta", None))):
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
    if package == "xarray" and type(x).__name__ == "DataTree":
        groups = ", ".join(path for path, node in x.subtree_with_keys if node.has_data) or "none"
        raise DataError(
            f"{what} is a DataTree, whose groups may lie on several grids; give one of them, as "
            f"X['group'].to_dataset(). Groups with variables: {groups}."
        )


def check_block(block: Any, what: str = "A block of X") -> None:
    """Raise `DataError` if a block of a lazy array is no NumPy array."""
    if isinstance(block, np.ndarray):
        return
    check_plain(block, what)
    raise DataError(
        f"{what} is a {kind_of(block)}, not a NumPy array; convert it, "
        "for sparse blocks with X.map_blocks(lambda block: block.toarray())."
    )


def kind_of(x: Any) -> str:
    """Return the name of the type of x, with its module."""
    return f"{type(x).__module__}.{type(x).__qualname__}"


def package_of(x: Any) -> str:
    """Return the name of the package that the type of x is from."""
    return type(x).__module__.partition(".")[0]
