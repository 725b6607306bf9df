"""Numbers of components that stay from fit to fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from sklearn.utils.validation import check_is_fitted

from daskgmm.arrays import Array
from daskgmm.counting import counted
from daskgmm.errors import SettingError
from daskgmm.gaussian.components.overlap import bhattacharyya
from daskgmm.markup.carded import Carded, Grid, Sheet
from daskgmm.models.mixtures.mixture import Mixture


@dataclass(frozen=True, eq=False)
class Alignment(Carded):
    r"""Components that were numbered as those of an earlier mixture.

    Attributes
    ----------
    order : ndarray of shape (k,)
        Number that each component had before.
    overlap : ndarray of shape (k,)
        Bhattacharyya coefficient :math:`\int \sqrt{p q}` of each component and the one of its
        number: 1 if they are equal, near 0 if they have nothing in common; nan for a component that
        the earlier mixture had not.
    confidence : ndarray of shape (k,)
        Overlap over the sum of that and the largest overlap with another component of the earlier
        mixture: near 1 if no other is meant, 0.5 if another one is as near. nan as above.
    """

    order: NDArray[np.intp]
    overlap: Array
    confidence: Array

    def _sheet(self) -> Sheet:
        rows = [
            (str(new), str(old), *("" if np.isnan(value) else f"{value:.3f}" for value in told))
            for new, (old, *told) in enumerate(
                zip(self.order.tolist(), self.overlap, self.confidence, strict=True)
            )
        ]
        header = ("component", "before", "overlap", "confidence")
        title = f"Alignment of {counted(len(rows), 'component')}"
        return Sheet(title, grids=[Grid("Numbers now and before", header, rows, left=())])


def alignment(distances: Array) -> Alignment:
    r"""Return the order in which components (k) are most alike to earlier ones (l <= k).

    Of all orders it has the largest :math:`\sum_j 1 / (1 + D_j)`, with D the `distances` (k, l) of
    the pairs: bounded, so that a cluster that has gone elsewhere does not move the numbers of the
    others, and never 0, so that clusters that moved by many widths are still told apart.
    Components that are left over come last, in the order that they had.
    """
    k, known = distances.shape
    rows, columns = linear_sum_assignment(1 / (1 + distances), maximize=True)
    matched = rows[np.argsort(columns)]
    order = np.concatenate([matched, np.setdiff1d(np.arange(k), matched)]).astype(np.intp)
    overlap, confidence = np.full(k, np.nan), np.full(k, np.nan)
    own = distances[matched, np.arange(known)]
    others = distances[matched]
    others[np.arange(known), np.arange(known)] = np.inf
    rival = others.min(axis=1)
    overlap[:known] = np.exp(-own)
    # 1 / (1 + exp(own - rival)), for two distances that may both be infinite.
    with np.errstate(invalid="ignore", over="ignore"):
        confidence[:known] = np.nan_to_num(1 / (1 + np.exp(own - rival)), nan=0.5)
    return Alignment(order, overlap, confidence)


def distances_between(mixture: Any, reference: Any) -> Array:
    """Return the Bhattacharyya distances of components, (k, l), in coordinates that both have.

    Those are the coordinates with fewer axes, else the reference's: in others, covariances that
    lack the variance along axes that were left out are singular.
    """
    sides = [
        (each.means_in_data_units(), each.covariances_in_data_units())
        for each in (mixture, reference)
    ]
    coordinates = min((reference, mixture), key=lambda each: each.means_.shape[1])._coordinates()
    if coordinates is not None:
        sides = [(coordinates.apply(m), coordinates.apply_scatter(c)) for m, c in sides]
    (means, covariances), (others, their_covariances) = sides
    return bhattacharyya(means, covariances, others, their_covariances)


def check_alike(mixture: Any, reference: Any) -> None:
    """Raise `ValueError` unless both are fitted mixtures of the same features."""
    if not isinstance(reference, Mixture):
        raise SettingError(
            f"reference is a {type(reference).__name__}; give a fitted mixture. One of "
            "scikit-learn's becomes one by GaussianMixture.from_sklearn."
        )
    check_is_fitted(reference)
    pairs = [
        [list(getattr(each, "feature_names_in_", [])) for each in (mixture, reference)],
        [each.n_features_in_ for each in (mixture, reference)],
    ]
    for own, other in pairs:
        if own != other and own and other:
            raise ValueError(
                f"The mixtures are of different features: {own} and {other}. Align mixtures of the "
                "same columns in the same order."
            )
    k, known = len(mixture.weights_), len(reference.weights_)
    if k < known:
        raise ValueError(
            f"This mixture has {k} components, and the one to align to has {known}: numbers would "
            "be left without a component. Fit as many (n_components), or align that one to this."
        )
