"""Table of conjugate priors by name, for estimators, files and the command line.

`PRIORS[MyPrior.name] = MyPrior()` adds one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any, ClassVar

import numpy as np

from daskgmm.arrays import Array
from daskgmm.counting import counted
from daskgmm.errors import EntryError, SettingError
from daskgmm.gaussian.covariance.structure import Structure
from daskgmm.gaussian.priors.prior import Prior, PseudoMoments

Nested = Sequence[Any] | Array
"""A vector or matrices, as nested sequences or an array."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConjugatePrior(Prior):
    r"""Normal-inverse-Wishart distributions of means and covariances, a Dirichlet one of weights.

    Without arguments it is the data-dependent prior of Fraley & Raftery [1]_, which
    ``prior="conjugate"`` names: none of its components collapses unless the data do.

    Parameters
    ----------
    mean_count : float, default=0.01
        :math:`\kappa`: rows that the prior of the means counts as; 0 for none.
    mean : array-like of shape (d,) or (k, d), optional
        Prior means, in the units of the columns; by default the mean of all rows.
    degrees_of_freedom : float, optional
        :math:`\nu` of the inverse Wishart distribution, above d - 1; by default d + 2.
    scale : array-like of shape (d, d) or (k, d, d), optional
        Its scale matrix, positive definite, in squared units of the columns; by default the
        covariance of all rows divided by :math:`k^{2/d}`. One for each component is for
        components that share no covariance.
    concentration : float, default=1.0
        :math:`\alpha` of a symmetric Dirichlet distribution of the weights, at least 1, which
        is the uniform one.

    Raises
    ------
    SettingError
        If a number is out of its range or an array is not finite; of the shapes at `fit`.

    Notes
    -----
    With :math:`\bar x_k, W_k` the mean and the scatter of a component's rows, its mode is
    :math:`\mu_k = (N_k \bar x_k + \kappa \mu_0) / (N_k + \kappa)` and
    :math:`\Sigma_k = (\Psi + W_k + \frac{\kappa N_k}{\kappa + N_k} (\bar x_k - \mu_0)
    (\bar x_k - \mu_0)^T) / (N_k + \nu + d + 2)`. Without a prior of the means
    the divisor is one less. A shared covariance has :math:`\Psi` once, the sum of the others, and
    :math:`n + \nu + d + 1 + k` below. Structures with fewer parameters have the restriction of
    this density to their covariances.

    With `standardise` or `pca`, `mean` and `scale` are of the mapped rows.

    References
    ----------
    .. [1] C. Fraley, A. E. Raftery, "Bayesian regularization for normal mixture estimation and
       model-based clustering", Journal of Classification 24 (2007) 155-181,
       https://doi.org/10.1007/s00357-007-0004-5

    Examples
    --------
    >>> import numpy as np
    >>> from daskgmm import ConjugatePrior, GaussianMixture
    >>> X = np.random.default_rng(0).normal(size=(500, 2))
    >>> mixture = GaussianMixture(2, prior=ConjugatePrior(mean_count=1), random_state=0).fit(X)
    """

    name: ClassVar[str] = "conjugate"

    mean_count: float = 0.01
    mean: Nested | None = None
    degrees_of_freedom: float | None = None
    scale: Nested | None = None
    concentration: float = 1.0

    def __post_init__(self) -> None:
        """Refuse numbers out of their range, and keep arrays as plain values."""
        _check_number("mean_count", self.mean_count, 0.0)
        _check_number("concentration", self.concentration, 1.0)
        if self.degrees_of_freedom is not None:
            _check_number("degrees_of_freedom", self.degrees_of_freedom, 0.0)
        for name in ("mean", "scale"):
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, _frozen(name, value))

    @property
    def depends_on_rows(self) -> bool:
        return self.scale is None or (self.mean is None and self.mean_count > 0)

    def check(self, k: int, d: int, structure: Structure) -> None:
        if self.mean is not None:
            _check_shape("mean", np.shape(self.mean), ((d,), (k, d)))
        if self.degrees_of_freedom is not None and not self.degrees_of_freedom > d - 1:
            raise SettingError(
                f"The prior's degrees_of_freedom are {self.degrees_of_freedom:g}; {d} features "
                f"need more than {d - 1}."
            )
        if self.scale is None:
            return
        own = () if structure.shared else ((k, d, d),)
        _check_shape("scale", np.shape(self.scale), ((d, d), *own))
        scale = np.asarray(self.scale)
        symmetric = np.allclose(scale, scale.swapaxes(-1, -2))
        if not symmetric or not (np.linalg.eigvalsh(scale) > 0).all():
            raise SettingError("The prior's scale is not symmetric and positive definite.")

    def pseudo_moments(
        self, k: int, mean: Array, covariance: Array, structure: Structure
    ) -> PseudoMoments:
        d, m = len(mean), structure.n_covariances(k)
        self.check(k, d, structure)
        degrees = d + 2.0 if self.degrees_of_freedom is None else self.degrees_of_freedom
        sharing = k / m if self.mean_count > 0 else 0.0
        scale = covariance / k ** (2.0 / d) if self.scale is None else np.array(self.scale)
        means = np.array(mean if self.mean is None else self.mean)
        return PseudoMoments(
            counts=np.full(k, self.concentration - 1.0),
            mean_counts=np.full(k, float(self.mean_count)),
            means=np.broadcast_to(means, (k, d)).copy(),
            scale_counts=np.full(m, degrees + d + 1.0 + sharing),
            scales=scale.reshape(-1, d, d),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DirichletPrior(Prior):
    r"""A symmetric Dirichlet distribution of the weights; means and covariances have no prior.

    The mode of the weights is :math:`(N_k + \alpha - 1) / (n + k (\alpha - 1))`, so that no
    weight falls to 0 with :math:`\alpha > 1` [1]_.

    Parameters
    ----------
    concentration : float, default=2.0
        :math:`\alpha`, at least 1; 1 is the uniform distribution, and 2 adds a row to each
        component.

    Raises
    ------
    SettingError
        If the concentration is less than 1 or not finite.

    References
    ----------
    .. [1] A. Gelman, J. B. Carlin, H. S. Stern, D. B. Dunson, A. Vehtari, D. B. Rubin, "Bayesian
       Data Analysis", CRC Press (2013), section 3.4.

    Examples
    --------
    >>> import numpy as np
    >>> from daskgmm import DirichletPrior, GaussianMixture
    >>> X = np.random.default_rng(0).normal(size=(500, 2))
    >>> mixture = GaussianMixture(2, prior=DirichletPrior(concentration=10), random_state=0).fit(X)
    """

    name: ClassVar[str] = "dirichlet"

    concentration: float = 2.0

    def __post_init__(self) -> None:
        """Refuse a concentration whose mode may have negative weights."""
        _check_number("concentration", self.concentration, 1.0)

    def pseudo_moments(
        self, k: int, mean: Array, covariance: Array, structure: Structure
    ) -> PseudoMoments:
        d = len(mean)
        return PseudoMoments(
            counts=np.full(k, self.concentration - 1.0),
            mean_counts=np.zeros(k),
            means=np.tile(mean, (k, 1)),
            scale_counts=np.zeros(structure.n_covariances(k)),
            scales=np.zeros((1, d, d)),
        )


def _check_number(name: str, value: Any, least: float) -> None:
    number = isinstance(value, Real) and not isinstance(value, bool)
    if not number or not least <= float(value) < np.inf:
        raise SettingError(f"The prior's {name} is {value!r}; give a number of at least {least:g}.")


def _check_shape(name: str, shape: tuple[int, ...], wanted: tuple[tuple[int, ...], ...]) -> None:
    if shape not in wanted:
        shapes = " or ".join(map(str, dict.fromkeys(wanted)))
        raise SettingError(f"The prior's {name} has the shape {shape}; give one of {shapes}.")


def _frozen(name: str, value: Any) -> Any:
    """Return an array as nested tuples: they compare, pickle and are written as they are."""
    array = np.asarray(value, np.float64)
    if not np.isfinite(array).all():
        raise SettingError(f"The prior's {name} is not all finite.")
    return tuples(array.tolist())


def tuples(values: Any) -> Any:
    """Return nested lists as nested tuples."""
    return tuple(map(tuples, values)) if isinstance(values, list) else values


PRIORS: dict[str, Prior] = {prior.name: prior for prior in (ConjugatePrior(), DirichletPrior())}


def prior_of(prior: str | Prior) -> Prior:
    """Return the prior of a name, or what is one already."""
    return PRIORS[prior] if isinstance(prior, str) else prior


def shortest(prior: str | Prior | None) -> str | Prior | None:
    """Return the name of a prior that is in the table; another one as it is."""
    if isinstance(prior, Prior) and PRIORS.get(prior.name) == prior:
        return prior.name
    return prior


def pseudo_moments_of(
    prior: str | Prior, k: int, mean: Array, covariance: Array, structure: Structure
) -> PseudoMoments:
    """Return those of a prior; raise `EntryError` for what is no prior of k means."""
    entry = prior_of(prior)
    found: Any = entry.pseudo_moments(k, mean, covariance, structure)
    name = prior if isinstance(prior, str) else entry.name
    what = f"The prior {name!r} of daskgmm.gaussian.PRIORS: its pseudo_moments returned"
    if not isinstance(found, PseudoMoments):
        raise EntryError(f"{what} a {type(found).__name__} instead of PseudoMoments.")
    if np.shape(found.means) != (k, len(mean)):
        raise EntryError(
            f"{what} means of shape {np.shape(found.means)}; {counted(k, 'component')} of "
            f"{counted(len(mean), 'feature')} need the shape ({k}, {len(mean)})."
        )
    return found
