"""How far new rows are from a fitted mixture, and whether chance explains it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from daskgmm.arrays import Array
from daskgmm.counting import counted
from daskgmm.markup.carded import Carded, Grid, Sheet
from daskgmm.models.drift.pieces import Pieces
from daskgmm.readers import remedy

LISTED = 6
"""Changes that `repr` lists."""


@dataclass(frozen=True, eq=False, repr=False)
class Drift(Carded):
    r"""How far rows are from a fitted mixture: effects first, then whether chance explains them.

    `GaussianMixture.drift` returns it; printed it is a short report. With billions of rows every
    difference is beyond chance, so that it is the effects that decide.

    Attributes
    ----------
    rows : int
        Number of rows of positive weight.
    divergence : float
        Size of the change in nats per row, 0 if it is within chance: half the sum of the squared
        mean moments, in their standard deviations within components, less what chance adds. To
        second order it is the Kullback-Leibler divergence of the labelled rows along weights, means
        and variances.
    p_value : float
        Of the hypothesis that the rows are from the mixture, or are as those of the reference.
    statistic : float
        Sum of the squared moments over its expectation by chance: about 1 without drift.
    log_likelihood : float
        Mean of log p(x), in nats per row.
    weight_changes : ndarray of shape (k,)
        Change of the proportion of each component.
    mean_shifts : ndarray of shape (k, d)
        Change of the mean of each component, in its standard deviations; nan without rows.
    sd_ratios : ndarray of shape (k, d)
        Standard deviation of the rows of each component over what it was; nan without rows.
    component_p_values : ndarray of shape (k,)
        Of each component, all its moments together; adjusted for k tests (Holm 1979).
    feature_p_values : ndarray of shape (d,)
        Of each feature in all components together; adjusted for d tests.
    p_values : ndarray of shape (k, d)
        Of each feature in each component, mean and variance together.
    weight_p_values : ndarray of shape (k,)
        Of each proportion; adjusted, with `p_values`, for k (d + 1) tests.
    features : tuple of str
        Names of the columns; of principal axes after `pca`.
    fitted_rows : float
        Rows that the mixture was fitted to, whose error is allowed for; infinite where they are not
        known, and the parameters are taken as exact. nan with a reference.
    """

    rows: int
    divergence: float
    p_value: float
    statistic: float
    log_likelihood: float
    weight_changes: Array
    mean_shifts: Array
    sd_ratios: Array
    component_p_values: Array
    feature_p_values: Array
    p_values: Array
    weight_p_values: Array
    features: tuple[str, ...]
    fitted_rows: float
    _pieces: Pieces = field(compare=False)
    _sizes: Array = field(compare=False)
    _mixture: str = field(compare=False)

    def changes(self) -> list[dict[str, Any]]:
        """Return the changes, the largest first: one for each component and feature or weight.

        Each is a dict of component, feature (None for the weight of the component), weight_change
        or mean_shift and sd_ratio, and p_value. Their order is that of what they add to
        `divergence`.
        """
        d = self.mean_shifts.shape[1]
        order = np.argsort(-self._sizes.ravel(), kind="stable")
        return [
            self._change(*divmod(int(place), d + 1))
            for place in order
            if not math.isnan(self._sizes.ravel()[place])
        ]

    def _change(self, component: int, place: int) -> dict[str, Any]:
        if place == 0:
            return {
                "component": component,
                "feature": None,
                "weight_change": float(self.weight_changes[component]),
                "p_value": float(self.weight_p_values[component]),
            }
        at = component, place - 1
        return {
            "component": component,
            "feature": self.features[place - 1],
            "mean_shift": float(self.mean_shifts[at]),
            "sd_ratio": float(self.sd_ratios[at]),
            "p_value": float(self.p_values[at]),
        }

    def as_dict(self) -> dict[str, Any]:
        """Return all of it in plain values, with lists for arrays."""
        names = [name for name in self.__dataclass_fields__ if not name.startswith("_")]
        values = {name: getattr(self, name) for name in names}
        plain = {n: v.tolist() if isinstance(v, np.ndarray) else v for n, v in values.items()}
        return {**plain, "features": list(self.features), "changes": self.changes()}

    def __repr__(self) -> str:
        return "\n".join([self._headline(), *self._table()])

    def _sheet(self) -> Sheet:
        title, *facts = self._headline().splitlines()
        header = ("component", "feature", "mean, in sd", "sd, ratio", "weight", "adjusted p")
        rows = [_cells(each) for each in self.changes()]
        changes = Grid("Changes, the largest first", header, rows, left=(1,))
        return Sheet(f"{title} {' '.join(facts)}", grids=[changes])

    def _headline(self) -> str:
        error = (
            "against the reference"
            if math.isnan(self.fitted_rows)
            else "its parameters taken as exact"
            if math.isinf(self.fitted_rows)
            else f"fitted to {self.fitted_rows:,.0f} rows"
        )
        k, d = self.mean_shifts.shape
        return (
            f"Drift of {counted(self.rows, 'row')}: {self.divergence:.3g} nats per row, "
            f"p = {self.p_value:.2g}\n"
            f"of a mixture of {counted(k, 'component')} and {counted(d, 'feature')}, {error};\n"
            f"log-likelihood {self.log_likelihood:.5g} nats per row"
        )

    def _table(self) -> list[str]:
        changes = self.changes()
        shown = changes[:LISTED]
        cells = [_cells(each) for each in shown]
        width = max([8, *(len(name) for _, name, *_ in cells)])
        lines = [f"component  {'feature':<{width}}  mean, in sd  sd, ratio  weight    adjusted p"]
        lines += [
            f"{component:>9}  {name:<{width}}  {mean:>11}  {sd:>9}  {weight:7}  {p:>11}"
            for component, name, mean, sd, weight, p in cells
        ]
        if len(changes) > LISTED:
            how = remedy("drift.changes()", "--json lists them")
            lines.append(f"and {len(changes) - LISTED} smaller changes: {how}")
        return lines


def _cells(change: Mapping[str, Any]) -> tuple[str, ...]:
    """Return a change in words: component, feature, mean, deviation, weight, p."""
    of_weight = change["feature"] is None
    return (
        str(change["component"]),
        change["feature"] or "(weight)",
        "" if of_weight else f"{change['mean_shift']:+.3f}",
        "" if of_weight else f"{change['sd_ratio']:.3f}",
        f"{change['weight_change']:+.4f}" if of_weight else "",
        f"{change['p_value']:.2g}",
    )
