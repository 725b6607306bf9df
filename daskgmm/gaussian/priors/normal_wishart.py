r"""The normal-Wishart prior of the means and precisions of components.

:math:`p(\mu, \Lambda) = N(\mu | m_0, (\beta_0 \Lambda)^{-1})\, W(\Lambda | W_0, \nu_0)`, the same
for all components. The posterior has this form too. If the structure is not one of full matrices,
the scale matrices of the posterior are restricted to those of the structure (all of them equal, for
a shared covariance): their best values are those of the M-step, and the best degrees of freedom
:math:`\nu_0 + N_k`, whatever the restriction, with the mean of N_k where they are shared. So each
step raises the bound of one model, that of full matrices (Bishop 2006, section 10.2).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import digamma, multigammaln

from daskgmm.arrays import Array
from daskgmm.gaussian.covariance.structure import Structure
from daskgmm.gaussian.parameters import Parameters
from daskgmm.gaussian.priors.prior import PseudoMoments


@dataclass(frozen=True, slots=True)
class NormalWishart:
    """The parameters of the prior; counts are in rows.

    Attributes
    ----------
    mean_precision : float
        beta_0, positive.
    mean : ndarray of shape (d,)
    degrees : float
        nu_0, above d - 1.
    scale : ndarray of shape (d, d)
        The inverse of W_0, in squared units of the data; diagonal where variances are along axes.
    """

    mean_precision: float
    mean: Array
    degrees: float
    scale: Array

    def __post_init__(self) -> None:
        """Refuse degrees of freedom of no density, in scikit-learn's words."""
        check_degrees(self.degrees, len(self.mean))

    def pseudo_moments(self, structure: Structure, k: int, reg_covar: float) -> PseudoMoments:
        """Return what the M-step adds to the moments of the rows.

        `reg_covar` is for each row, as in scikit-learn, and not for those of the prior; the M-step
        adds it to the covariances of both.
        """
        d = len(self.mean)
        scale = self.scale - self.degrees * reg_covar * np.eye(d)
        m = structure.n_covariances(k)
        return PseudoMoments(
            counts=np.zeros(k),
            mean_counts=np.full(k, self.mean_precision),
            means=np.tile(self.mean, (k, 1)),
            scale_counts=np.full(m, self.degrees * k / m),
            scales=scale[None] * (k / m),
        )

    def degrees_of_freedom(self, structure: Structure, counts: Array) -> Array:
        """Return the degrees of freedom of the posterior, shape (m,), given the counts N_k."""
        return self.degrees + (counts.mean(keepdims=True) if structure.shared else counts)

    def divergence(
        self, structure: Structure, parameters: Parameters, counts: Array, reg_covar: float
    ) -> float:
        r"""Return the divergence of the posterior from the prior, in nats.

        With :math:`\Sigma_k = W_k^{-1} / \nu_k` it is minus the logarithm of the prior's density at
        :math:`\mu_k, \Sigma_k`, and terms of the counts and degrees of freedom.

        Parameters
        ----------
        structure : Structure
        parameters : Parameters
            The means of the posterior, and its covariances :math:`\Sigma_k`.
        counts : ndarray of shape (k,)
        reg_covar : float
            As of `pseudo_moments`.
        """
        k, d = parameters.means.shape
        pseudo = self.pseudo_moments(structure, k, reg_covar)
        at_posterior = pseudo.log_density(parameters, structure, reg_covar)
        beta = self.mean_precision + counts
        nu = np.broadcast_to(self.degrees_of_freedom(structure, counts), (k,))
        rows = counts.mean() if structure.shared else counts
        of_means = 0.5 * d * (self.mean_precision / beta - 1 + np.log(beta / self.mean_precision))
        of_precisions = (
            0.5 * d * (self.degrees * np.log(nu) - nu)
            - multigammaln(0.5 * nu, d)
            + 0.5 * rows * digammas(nu, d)
            + multigammaln(0.5 * self.degrees, d)
            - 0.5 * self.degrees * np.linalg.slogdet(self.scale)[1]
        )
        return float((of_means + of_precisions).sum()) - at_posterior


def check_degrees(degrees: float, d: int) -> None:
    """Raise `ValueError` unless there is a Wishart distribution of so many degrees of freedom."""
    if not degrees > d - 1:
        raise ValueError(
            f"The parameter 'degrees_of_freedom_prior' should be greater than {d - 1}, but got "
            f"{degrees:.3f}."
        )


def digammas(degrees: Array, d: int) -> Array:
    r"""Return :math:`\sum_{i=0}^{d-1} \psi((\nu - i) / 2)` for each nu, shaped as `degrees`."""
    sums: Array = digamma(0.5 * (degrees - np.arange(d)[:, None])).sum(axis=0)
    return sums


def expected_offsets(mean_precision: Array, degrees: Array, d: int) -> Array:
    r"""Return what uncertainty adds to log densities at the mean posterior, shape (k,).

    :math:`E \log N(x | \mu_k, \Lambda_k^{-1}) - \log N(x | m_k, \Sigma_k)`, with :math:`\Sigma_k =
    W_k^{-1} / \nu_k`: that is :math:`\frac{1}{2} (\sum_i \psi(\frac{\nu_k - i}{2}) - d \log
    \frac{\nu_k}{2} - d / \beta_k)`.

    Parameters
    ----------
    mean_precision : ndarray of shape (k,)
    degrees : ndarray of shape (k,) or (1,)
    d : int
    """
    offsets: Array = 0.5 * (digammas(degrees, d) - d * np.log(0.5 * degrees) - d / mean_precision)
    return offsets
