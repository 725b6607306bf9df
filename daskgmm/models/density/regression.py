"""Gaussian mixture regression of rows in any form that predictions take."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from daskgmm.em.checkpoints.fingerprint import plain_digest
from daskgmm.errors import DataError, SettingError
from daskgmm.gaussian.density.conditionals import Regressions
from daskgmm.gaussian.parameters import Parameters
from daskgmm.models.inputs.rows import feature_names
from daskgmm.models.predictions.forms.in_any_form import InAnyForm
from daskgmm.models.predictions.made_outputs import Outputs
from daskgmm.models.predictions.output import Asked, Output
from daskgmm.models.predictions.posteriors.posterior import Posterior
from daskgmm.models.predictions.prediction import Predictor
from daskgmm.names import FLOATS
from daskgmm.passes.transform import Transform
from daskgmm.readers import remedy
from daskgmm.rows.sources import source_of

REGRESSION = "regression"
"""The output that holds all of a regression."""

KEPT_PATTERNS = 64
"""Patterns of missing values whose regressions are kept: what more need is made anew."""

STATISTIC = "statistic"
"""The dimension of means, variances and the log density of a row."""

TARGET = "target"
"""The dimension of targets, and its coordinate: their names or numbers."""


class Regression(NamedTuple):
    """Regression of target columns on the others.

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


@dataclass(frozen=True)
class RegressionsOfRows:
    """Regressions of rows; those that miss values are told by the columns that they have.

    Attributes
    ----------
    joint : Parameters
        A plain mixture of all features.
    given, asked : tuple of int
        Features of the rows, and the targets.
    whole : Regressions
        Of rows that miss no value.
    """

    joint: Parameters
    given: tuple[int, ...]
    asked: tuple[int, ...]
    whole: Regressions

    @classmethod
    def of(cls, joint: Parameters, given: Sequence[int], asked: Sequence[int]) -> RegressionsOfRows:
        """Return the regressions of the asked features of a plain mixture on the given ones.

        Raises
        ------
        SingularError
            If a covariance is singular.
        """
        whole = Regressions.of(joint, given, asked)
        return cls(joint, tuple(given), tuple(asked), whole)

    def __call__(self, posterior: Posterior) -> NDArray[Any]:
        """Return means, variances and log densities of the rows of a tile, (b, 2 t + 1)."""
        gaps, own = posterior.gaps, self.whole
        if gaps is not None and not gaps.pattern.all():
            own = self._remembered(gaps.pattern.tobytes())
        points = np.ascontiguousarray(posterior.rows.T)
        mean, variance = own.moments(points, posterior.responsibilities)
        return np.vstack([mean, variance, posterior.log_densities]).T

    @cached_property
    def _remembered(self) -> Callable[[bytes], Regressions]:
        return lru_cache(maxsize=KEPT_PATTERNS)(self._of)

    def _of(self, pattern: bytes) -> Regressions:
        seen = np.flatnonzero(np.frombuffer(pattern, bool))
        return Regressions.of(self.joint, [self.given[place] for place in seen], self.asked)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_remembered"}


def regress(
    known: Any, regressions: RegressionsOfRows, transform: Transform, targets: Sequence[Any], x: Any
) -> Regression:
    """Return the regression of the targets on rows, all of it from one read.

    Parameters
    ----------
    known : GaussianMixture
        The marginal mixture of the columns of x.
    regressions : RegressionsOfRows
    transform : Transform
    targets : sequence
        Their names or numbers.
    x : as in `fit`
    """
    predictor = RegressionPredictor(known, regressions, transform)
    (found,) = source_of(x).predicted(InAnyForm(known, predictor, (REGRESSION,)))
    return _split(found, list(targets))


class RegressionPredictor(Predictor):
    """What looks at rows of the given columns, and knows what is asked of them."""

    def __init__(self, known: Any, regressions: RegressionsOfRows, transform: Transform) -> None:
        names = feature_names(known)
        super().__init__(regressions.whole.known, names, transform)
        self.own_outputs = {REGRESSION: partial(_made, regressions)}
        self._regressions = regressions

    @property
    def digest(self) -> str:
        """A digest of all that regressions depend on."""
        own = self._regressions
        of_joint = Predictor(own.joint).density_digest
        return plain_digest((super().digest, of_joint, own.given, own.asked))


def regression_outputs(
    regressions: RegressionsOfRows, targets: Sequence[Any], dtype: str
) -> Outputs:
    """Return mean and variance of each target and the log density, as arrays to write."""
    if dtype not in FLOATS:
        raise SettingError(f"dtype is {dtype!r} (--dtype); give one of {', '.join(FLOATS)}.")
    t, asked = len(targets), Asked(regressions.joint.n_components, dtype, 1, False)
    named = [(f"mean_{each}", f"conditional mean of {each}") for each in targets]
    named += [(f"variance_{each}", f"conditional variance of {each}") for each in targets]
    named += [("log_density", "logarithm of the density of what is given")]
    assert len(named) == 2 * t + 1
    return Outputs(
        tuple(
            asked.number(name, partial(_column, regressions, place), about)
            for place, (name, about) in enumerate(named)
        )
    )


def _column(regressions: RegressionsOfRows, place: int, posterior: Posterior) -> NDArray[Any]:
    found: NDArray[Any] = posterior.once(regressions)[:, place]
    return found


@contextmanager
def without_targets(targets: Sequence[int], d: int) -> Iterator[None]:
    """Say what to leave out, where rows of a mixture without names have all its d columns."""
    try:
        yield
    except ValueError as error:
        # In the words of scikit-learn, and by it of what is in memory; behind the path of the rest.
        path, found, _ = str(error).partition(f"X has {d} features, but ")
        if not found:
            raise
        raise DataError(
            f"{path}X has all {d} columns of the mixture, and regress takes those that are not "
            f"targets. {remedy(_without(targets), WRITE_OTHERS)}"
        ) from error


WRITE_OTHERS = (
    "Write the others to an array of their own; columns of tables have names, and are chosen by "
    "these."
)


def _without(targets: Sequence[int]) -> str:
    return (
        f"Leave out the others: numpy.delete(X, {list(targets)}, axis=1), of what is stored once "
        "it is an array of Dask (dask.array.from_zarr)."
    )


def _made(regressions: RegressionsOfRows, asked: Asked) -> list[Output]:
    length = 2 * len(regressions.asked) + 1
    about = "conditional means, conditional variances, log density of what is given"
    return [asked.number(REGRESSION, regressions, about, (STATISTIC,), (length,))]


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
