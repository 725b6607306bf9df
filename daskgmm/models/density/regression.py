"""Gaussian mixture regression of rows in any form that predictions take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from daskgmm.gaussian.conditionals import Regressions
from daskgmm.gaussian.parameters import Parameters
from daskgmm.models.predictions.forms import InAnyForm
from daskgmm.models.predictions.gaps import Gaps
from daskgmm.models.predictions.outputs import Asked, Output
from daskgmm.models.predictions.posterior import Posterior
from daskgmm.models.predictions.prediction import Predictor
from daskgmm.passes.transform import Transform
from daskgmm.rows.sources import source_of

REGRESSION = "regression"
"""The output that holds all of a regression."""

STATISTIC = "statistic"
"""The dimension of means, variances and the log density of a row."""

TARGET = "target"
"""The dimension of targets, and its coordinate: their names or numbers."""


class Regression(NamedTuple):
    """What a mixture says of target columns, given the others.

    Attributes
    ----------
    mean, variance : array of shape (n, t), or (n,) of a single target
        Conditional mean and variance, the latter within components plus between their means.
    log_density : array of shape (n,)
        Log p(x) of the given columns, in nats: far below that of the rows of the fit the regression
        is an extrapolation.
    """

    mean: Any
    variance: Any
    log_density: Any


@dataclass(frozen=True, slots=True)
class RegressionOfRows:
    """The regressions of each component on the columns that rows have.

    Attributes
    ----------
    joint : Parameters
        A plain mixture of all columns.
    given, asked : tuple of int
        Columns of rows, and targets.
    whole : Regressions
        Of rows that have all of the given columns.
    """

    joint: Parameters
    given: tuple[int, ...]
    asked: tuple[int, ...]
    whole: Regressions

    @classmethod
    def of(cls, joint: Parameters, given: Sequence[int], asked: Sequence[int]) -> RegressionOfRows:
        """Return the regressions of targets on the given columns of a plain mixture."""
        whole = Regressions.of(joint, given, asked)
        return cls(joint, tuple(given), tuple(asked), whole)

    def output(self, asked: Asked) -> list[Output]:
        """Return the output of means, variances and densities, as the table of outputs does."""
        length = 2 * len(self.asked) + 1
        about = "conditional means, conditional variances, log density of what is given"
        return [asked.number(REGRESSION, self._of_rows, about, (STATISTIC,), (length,))]

    def _of_rows(self, posterior: Posterior) -> NDArray[Any]:
        points = np.ascontiguousarray(posterior.rows.T)
        regressions = self._given(posterior.gaps)
        mean, variance = regressions.moments(points, posterior.responsibilities)
        return np.vstack([mean, variance, posterior.log_densities]).T

    def _given(self, gaps: Gaps | None) -> Regressions:
        """Return the regressions on the columns that rows have."""
        if gaps is None or gaps.pattern.all():
            return self.whole
        given = [self.given[place] for place in np.flatnonzero(gaps.pattern)]
        return Regressions.of(self.joint, given, self.asked)


def regress(
    known: Any, regression: RegressionOfRows, transform: Transform, targets: Sequence[Any], x: Any
) -> Regression:
    """Return the regression of the targets on rows, all of it from one read.

    Parameters
    ----------
    known : GaussianMixture
        The marginal mixture of the columns of x.
    regression : RegressionOfRows
    transform : Transform
    targets : sequence
        Their names or numbers.
    x : as in `fit`
    """
    names = getattr(known, "feature_names_in_", None)
    columns = None if names is None else tuple(map(str, names))
    own = {REGRESSION: regression.output}
    predictor = Predictor(regression.whole.known, columns, transform, own_outputs=own)
    (found,) = source_of(x).predictions(InAnyForm(known, predictor, (REGRESSION,)))
    return _split(found, list(targets))


def _split(found: Any, targets: list[Any]) -> Regression:
    t = len(targets)
    first, second = slice(0, t), slice(t, 2 * t)
    if hasattr(found, "isel"):
        return _split_labelled(found, targets)
    if hasattr(found, "iloc"):  # a data frame of Dask
        mean, variance = found.iloc[:, first], found.iloc[:, second]
        mean.columns = variance.columns = targets
        density = found[found.columns[-1]].rename("log_density")
        return Regression(mean, variance, density)
    return Regression(found[:, first], found[:, second], found[:, -1])


def _split_labelled(found: Any, targets: list[Any]) -> Regression:
    t, plain = len(targets), found.drop_vars(STATISTIC)

    def part(name: str, long_name: str, places: slice) -> Any:
        chosen = plain.isel({STATISTIC: places}).rename({STATISTIC: TARGET}).rename(name)
        return chosen.assign_coords({TARGET: targets}).assign_attrs(long_name=long_name)

    density = plain.isel({STATISTIC: -1}).rename("log_density")
    return Regression(
        part("mean", "conditional mean", slice(0, t)),
        part("variance", "conditional variance", slice(t, 2 * t)),
        density.assign_attrs(long_name="logarithm of the density of what is given"),
    )


def single(found: Regression) -> Regression:
    """Return the regression of one target without the dimension of targets."""

    def first(values: Any) -> Any:
        if hasattr(values, "isel"):
            return values.isel({TARGET: 0}, drop=True)
        return values[values.columns[0]] if hasattr(values, "columns") else values[:, 0]

    return found._replace(mean=first(found.mean), variance=first(found.variance))
