"""Two fitted mixtures side by side."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from daskgmm.arrays import Array
from daskgmm.errors import DataError, SettingError
from daskgmm.markup.carded import Carded, Sheet
from daskgmm.models.comparison.agreement import Agreement, agreement
from daskgmm.models.comparison.wording import in_words, sheet
from daskgmm.models.density.density import DRAWN, Density
from daskgmm.models.density.divergence import Divergence
from daskgmm.models.inputs.rows import feature_names
from daskgmm.models.mixtures.alignment import alignment, distances_between
from daskgmm.models.mixtures.mixture import Mixture
from daskgmm.readers import remedy
from daskgmm.rows.checks.naming import typed_names


@dataclass(frozen=True, eq=False, repr=False)
class Comparison(Carded):
    r"""Two fitted mixtures, A and B, side by side; printed it is a report.

    Attributes
    ----------
    features : tuple of str
        Names of the columns, x0 and so on where neither mixture has any.
    facts : tuple of two mappings
        Of A and B: components, structure, preprocessing, n_parameters, and of their fits fitted_on
        (the source), rows, log_likelihood (nats per row), n, aic and bic; nan or None where that is
        not known. Criteria compare where both were fitted to the same rows with the same
        preprocessing.
    pairs : ndarray of int, shape (m, 2)
        Numbers of the components of A and B that are most alike, as `align_to` finds them: as many
        pairs as the smaller mixture has components.
    distances : ndarray of shape (m,)
        Bhattacharyya distance :math:`-\log \int \sqrt{p q}` of each pair: 0 if they are equal.
    confidence : ndarray of shape (m,)
        That no other component was meant, as in `Alignment`: 0.5 if another one is as near.
    divergence : tuple of two Divergence, or None
        Kullback-Leibler divergence of A from B, and of B from A, with standard errors.
    no_divergence : str
        Why there is none; empty where there is.
    on_rows : Agreement or None
        What both say of the rows of X, if there is X.
    """

    features: tuple[str, ...]
    facts: tuple[Mapping[str, Any], Mapping[str, Any]]
    pairs: NDArray[np.intp]
    distances: Array
    confidence: Array
    divergence: tuple[Divergence, Divergence] | None
    no_divergence: str = ""
    on_rows: Agreement | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return all of it in plain values, with lists for arrays and None for nan."""
        both = self.divergence
        found = {
            "features": list(self.features),
            "facts": [dict(each) for each in self.facts],
            "pairs": self.pairs.tolist(),
            "distances": self.distances.tolist(),
            "confidence": self.confidence.tolist(),
            "divergence": None if both is None else [each._asdict() for each in both],
            "no_divergence": self.no_divergence,
            "on_rows": None if self.on_rows is None else asdict(self.on_rows),
        }
        plain: dict[str, Any] = _plain(found)
        return plain

    def __repr__(self) -> str:
        return in_words(self)

    def _sheet(self) -> Sheet:
        return sheet(self)


def compare(
    a: Any, b: Any, X: Any = None, sample_weight: Any = None, *, n_drawn: int = DRAWN, seed: int = 0
) -> Comparison:
    """Compare two fitted mixtures of the same features, and what they say of the same rows.

    Parameters
    ----------
    a, b : GaussianMixture or another mixture of daskgmm
        Fitted to the same columns in the same order. They may differ in components, structures and
        preprocessing, and stay as they are.
    X : as in `GaussianMixture.fit`, optional
        Rows, of any number: they are read once, in one streamed pass for both.
    sample_weight : as in `fit`, optional
        Of the rows, for the likelihoods; labels are counted in rows of positive weight.
    n_drawn, seed : int
        As of `GaussianMixture.divergence`.

    Returns
    -------
    Comparison
        Components in pairs, divergences, criteria of both fits, and of X the difference of the
        log-likelihoods with its standard error and the agreement of the labels.

    Raises
    ------
    SettingError
        If `a` or `b` is no mixture of daskgmm.
    DataError
        If they are of different features, or a row cannot be used.

    Examples
    --------
    >>> import numpy as np
    >>> from daskgmm import GaussianMixture, compare
    >>> X = np.random.default_rng(0).normal(size=(500, 2)) + 9 * (np.arange(500) % 2)[:, None]
    >>> one, two = (GaussianMixture(k, random_state=0).fit(X) for k in (1, 2))
    >>> found = compare(one, two, X)
    >>> bool(found.on_rows.difference > 5 * found.on_rows.standard_error)
    True
    >>> found.on_rows.confusion[:1, :2].tolist()
    [[250, 250]]
    """
    for name, each in (("a", a), ("b", b)):
        if not isinstance(each, Mixture):
            raise SettingError(
                f"{name} is a {type(each).__name__}; give a fitted mixture of daskgmm. One of "
                "scikit-learn's becomes one by GaussianMixture.from_sklearn; of a classifier give "
                "its mixture_."
            )
        check_is_fitted(each)
    features = _shared_features(a, b)
    pairs, distances, confidence = _matched(distances_between(a, b))
    divergence, why = _divergences(a, b, n_drawn, seed)
    return Comparison(
        features=features,
        facts=(_facts(a), _facts(b)),
        pairs=pairs,
        distances=distances,
        confidence=confidence,
        divergence=divergence,
        no_divergence=why,
        on_rows=None if X is None else agreement(a, b, X, sample_weight),
    )


def _shared_features(a: Any, b: Any) -> tuple[str, ...]:
    """Return the names of the columns; raise `DataError` unless both have the same."""
    names = [feature_names(each) for each in (a, b)]
    counts = [each._predictor().n_columns for each in (a, b)]
    if counts[0] != counts[1] or (None not in names and names[0] != names[1]):
        ours, theirs = (
            f"{count} ({', '.join(own) if own else 'without names'})"
            for count, own in zip(counts, names, strict=True)
        )
        raise DataError(
            f"The mixtures are of different features: {ours} and {theirs}. Compare mixtures of the "
            f"same columns in the same order{_how_over_fewer(names)}."
        )
    return names[0] or names[1] or tuple(f"x{column}" for column in range(counts[0]))


def _how_over_fewer(names: Sequence[tuple[str, ...] | None]) -> str:
    """Return what compares mixtures over the columns that both have; empty if none is known."""
    first, second = (own or () for own in names)
    both = [name for name in first if name in second]
    typed = f"; --columns {typed_names(both)} takes both over these" if both else ""
    return remedy("; `marginal` takes one over fewer", typed)


def _matched(distances: Array) -> tuple[NDArray[np.intp], Array, Array]:
    """Return pairs of components, of distances (k, l), with their distance and confidence."""
    k, known = distances.shape
    wide = k < known
    found = alignment(distances.T if wide else distances)
    m = min(k, known)
    pairs = np.column_stack([found.order[:m], np.arange(m)])
    if wide:
        pairs = pairs[:, ::-1]
    order = np.argsort(pairs[:, 0])
    pairs = pairs[order]
    return pairs, distances[pairs[:, 0], pairs[:, 1]], found.confidence[:m][order]


def _divergences(
    a: Any, b: Any, n_drawn: int, seed: int
) -> tuple[tuple[Divergence, Divergence] | None, str]:
    """Return the divergences in both directions, or why there are none."""
    if not (isinstance(a, Density) and isinstance(b, Density)):
        return None, "a mixture has no density over columns."
    how = {"n_drawn": n_drawn, "seed": seed}
    try:
        return (a.divergence(b, **how), b.divergence(a, **how)), ""
    except ValueError as error:
        return None, str(error)


def _facts(mixture: Any) -> dict[str, Any]:
    """Return what a mixture is, and the criteria of its fit."""
    fitted = getattr(mixture, "fitted_on_", None) or {}
    criteria = mixture._known_criteria()
    known = ("n_parameters", "log_likelihood", "n", "aic", "bic")
    return {
        "components": len(mixture.weights_),
        "structure": mixture._structure_name,
        "preprocessing": _preprocessing(mixture),
        "fitted_on": fitted.get("source"),
        "rows": fitted.get("rows"),
        **{name: criteria.get(name) for name in known},
    }


def _preprocessing(mixture: Any) -> str:
    """Return in words what coordinates the mixture is in; empty for those of the data."""
    coordinates = mixture._coordinates()
    if coordinates is None:
        return ""
    axes = "" if coordinates.axes is None else f"{coordinates.n_features} axes"
    scaled = "standardised" if (coordinates.scales != 1).any() else ""
    return ", ".join(filter(None, (scaled, axes)))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if isinstance(value, np.ndarray):
        return value.tolist()
    return None if isinstance(value, float) and not math.isfinite(value) else value
