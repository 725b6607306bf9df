r"""Conjugate priors: pseudo-moments that are added to those of the rows.

The M-step maximises :math:`\sum_k N_k (\log \pi_k - \frac{1}{2} \log|\Sigma_k|) - \frac{1}{2}
\mathrm{tr}\, \Sigma_k^{-1} SS_k`. The logarithm of a conjugate prior has the same form, so that the
posterior mode is the M-step of the sum of both (Gelman et al. 2013, section 3.6).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from daskgmm.arrays import Array
from daskgmm.gaussian.covariance.algebra.precision import Precision
from daskgmm.gaussian.covariance.structure import Structure
from daskgmm.gaussian.moments import Moments
from daskgmm.gaussian.parameters import Parameters

MATRICES = 2
"""`Precision.detail` of covariance matrices."""


@dataclass(frozen=True, slots=True)
class PseudoMoments:
    r"""The density of a conjugate prior of a mixture, up to a constant factor.

    :math:`\log p = \sum_k c_k \log \pi_k - \frac{1}{2} \sum_k (s_k \log|\Sigma_k| + \mathrm{tr}\,
    \Sigma_k^{-1} S_k + m_k (\mu_k - \mu_{0k})^T \Sigma_k^{-1} (\mu_k - \mu_{0k}))`. Where
    components share one covariance, s and S count once. With matrices this is a Dirichlet
    distribution (:math:`\alpha_k = c_k + 1`) and normal-inverse-Wishart ones
    (:math:`\kappa = m`, :math:`\Psi = S`, and :math:`\nu = s - d - 1` less the number of means
    that share the covariance: each normal distribution has a determinant of its own); for
    variances along the axes, or one, its restriction to these.

    Attributes
    ----------
    counts : ndarray of shape (k,)
        c, not negative.
    mean_counts : ndarray of shape (k,)
        m, in rows.
    means : ndarray of shape (k, d)
    scale_counts : ndarray of shape (m,)
        s, in rows; m is k, or 1 where the covariance is shared.
    scales : ndarray of shape (m, d, d), or (1, d, d)
        S, in squared units of the data; the leading axis is 1 if S is the same for all.
    """

    counts: Array
    mean_counts: Array
    means: Array
    scale_counts: Array
    scales: Array

    def __post_init__(self) -> None:
        """Refuse arrays that are no density: EM would make weights or covariances of NaN."""
        k, d = np.shape(self.means)
        scales = np.shape(self.scales)
        shaped = np.shape(self.counts) == np.shape(self.mean_counts) == (k,)
        shaped &= np.shape(self.scale_counts) in {(k,), (1,)}
        if not shaped or len(scales) != 3 or scales[0] not in {1, k} or scales[1:] != (d, d):
            raise ValueError(
                f"The prior's pseudo-moments have the shapes {np.shape(self.counts)}, "
                f"{np.shape(self.mean_counts)}, {np.shape(self.means)}, "
                f"{np.shape(self.scale_counts)} and {scales}; {k} components of {d} features need "
                f"({k},), ({k},), ({k}, {d}), ({k},) or (1,), and ({k}, {d}, {d}) or (1, {d}, {d})."
            )
        for name in ("counts", "mean_counts", "scale_counts"):
            if not (np.isfinite(getattr(self, name)) & (getattr(self, name) >= 0)).all():
                raise ValueError(f"The prior's {name} are {getattr(self, name)}: not all >= 0.")
        if not (np.isfinite(self.means).all() and np.isfinite(self.scales).all()):
            raise ValueError("The prior's means or scales are not all finite.")

    def scaled(self, factor: float) -> PseudoMoments:
        """Return the prior with all counts and S multiplied by a factor."""
        return replace(
            self,
            counts=factor * self.counts,
            mean_counts=factor * self.mean_counts,
            scale_counts=factor * self.scale_counts,
            scales=factor * self.scales,
        )

    def added_to(self, moments: Moments, structure: Structure) -> Moments:
        """Return the sum of moments of rows and those of the prior."""
        k, d = moments.reference.shape
        shifts = self.means - moments.reference
        statistic, sharing = structure.statistic, k // structure.n_covariances(k)
        # Components that share a covariance bring equal parts of S.
        scales = self.scales / sharing
        sums = moments.sums.copy()
        sums[0] += self.counts
        sums[1 : 1 + d] += self.mean_counts * shifts.T
        sums[1 + d :] += statistic.of_matrices(scales).T
        pooled = None
        if moments.pooled is not None:
            pooled = moments.pooled + k * scales[0] + (self.mean_counts * shifts.T) @ shifts
        else:
            for index, (shift, count) in enumerate(zip(shifts, self.mean_counts, strict=True)):
                sums[1 + d :, index] += statistic.second_moment(shift[:, None], count[None])
        prior_counts = (
            moments.counts + self.mean_counts,
            moments.counts + self.scale_counts / sharing,
        )
        return replace(moments, sums=sums, pooled=pooled, prior_counts=prior_counts)

    def log_density(self, parameters: Parameters, structure: Structure, noise: float) -> float:
        """Return the log density of parameters, in nats, up to a constant.

        S is larger by s times the variance of the noise: then the M-step that adds this variance to
        the diagonals is exact.
        """
        precision, factors = structure.precision, parameters.precisions_cholesky
        d = parameters.n_features
        used = self.counts > 0
        logs = self.counts[used] @ np.log(parameters.weights[used])
        determinants = self.scale_counts @ precision.log_determinants(factors, d)
        traces = self._traces(factors, precision, d)
        traces += noise * float(self.scale_counts @ precision.traces(factors, d))
        whitened = precision.multiply_ut(factors, parameters.means - self.means)
        distances = self.mean_counts @ np.einsum("ki,ki->k", whitened, whitened)
        return float(logs + determinants - 0.5 * (traces + distances))

    def _traces(self, factors: Array, precision: Precision, d: int) -> float:
        """Return the sum of tr(P S) over covariances; along axes from diagonals alone."""
        if precision.detail < MATRICES:
            diagonals = np.diagonal(self.scales, axis1=-2, axis2=-1)
            return float((precision.diagonals(precision.precisions(factors), d) * diagonals).sum())
        return float((precision.precision_matrices(factors, d) * self.scales).sum())


class Prior(ABC):
    """A conjugate prior; hyperparameters may depend on the mean and covariance of all rows.

    One that is given to an estimator, and not by its name, is a dataclass of plain values, so that
    model files hold it.
    """

    name: ClassVar[str]

    @property
    def depends_on_rows(self) -> bool:
        """Whether hyperparameters are those of all rows, outliers included."""
        return False

    def check(self, k: int, d: int, structure: Structure) -> None:  # noqa: B027  # may be none
        """Raise `ValueError` if hyperparameters do not fit k components of d features.

        Parameters
        ----------
        k, d : int
            Numbers of components and features.
        structure : Structure
            That of the covariances.

        Raises
        ------
        ValueError
            If a shape or a number does not fit them.

        Examples
        --------
        >>> from daskgmm import ConjugatePrior
        >>> from daskgmm.gaussian import STRUCTURES
        >>> ConjugatePrior(degrees_of_freedom=9).check(k=2, d=3, structure=STRUCTURES["full"])
        """

    @abstractmethod
    def pseudo_moments(
        self, k: int, mean: Array, covariance: Array, structure: Structure
    ) -> PseudoMoments:
        """Return the prior of k components.

        Parameters
        ----------
        k : int
            Number of components.
        mean : ndarray of shape (d,)
            Mean of all rows, in the coordinates of the model.
        covariance : ndarray of shape (d, d)
            Covariance of all rows.
        structure : Structure
            That of the covariances.

        Returns
        -------
        PseudoMoments
            To be added to the moments of the rows.

        Examples
        --------
        >>> import numpy as np
        >>> from daskgmm import ConjugatePrior
        >>> from daskgmm.gaussian import STRUCTURES
        >>> prior = ConjugatePrior(mean_count=3.0)
        >>> prior.pseudo_moments(2, np.zeros(1), np.eye(1), STRUCTURES["full"]).mean_counts
        array([3., 3.])
        """
