"""Rows of known class: components of other classes are barred from them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from daskgmm.arrays import Array
from daskgmm.gaussian.kernels.kernel import Kernel
from daskgmm.gaussian.log_weights import NO_WEIGHT


class Barring:
    """What is added to the log joint densities of rows of known class.

    Parameters
    ----------
    classes : ndarray of int, shape (k,)
        The class of each column of a kernel, as `Kernel.classes`.
    """

    def __init__(self, classes: NDArray[np.intp]) -> None:
        # The last column, which the label -1 picks, is of rows of unknown class.
        others = classes[:, None] != np.arange(classes.max(initial=-1) + 2)
        others[:, -1] = False
        self._added = np.where(others, NO_WEIGHT, 0.0)

    @classmethod
    def of(cls, kernel: Kernel) -> Barring | None:
        """Return what labels do to the densities of a kernel; None if its rows have none."""
        return None if kernel.classes is None else cls(kernel.classes)

    def bar(self, joint: Array, labels: NDArray[np.intp]) -> None:
        """Take the weight from components (k, b) of other classes than those of the rows (b,)."""
        joint += self._added[:, labels]


def labels_buffer(kernel: Kernel, b: int) -> NDArray[np.intp] | None:
    """Return a buffer for the labels of a tile of b rows; None if those of a kernel have none."""
    return None if kernel.classes is None else np.empty(b, np.intp)
