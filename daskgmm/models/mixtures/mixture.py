"""A fitted mixture, its rows and factors: predictions, criteria, latent coordinates."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from daskgmm.gaussian.covariance.low_rank.families import FAMILIES
from daskgmm.gaussian.latent.common_factors import SharedFactors
from daskgmm.gaussian.latent.loadings import explained_variances, factor_loadings, noise_variances
from daskgmm.gaussian.parameters import Parameters
from daskgmm.models.inputs.rows import feature_names
from daskgmm.models.mixtures.latent import Points
from daskgmm.models.mixtures.scoring import ScoringMixture


def _has_factors(mixture: Mixture) -> bool:
    """Return True for a mixture with factors; raise the reason why another has no such method."""
    if mixture.covariance_type in FAMILIES:
        return True
    raise AttributeError(
        f"covariance_type={mixture.covariance_type!r} has no factors. Fit with one of "
        f"{', '.join(map(repr, FAMILIES))} and n_factors."
    )


class Mixture(ScoringMixture):
    """A fitted mixture; one with factors has latent coordinates."""

    _is_base = True

    @available_if(_has_factors)  # type: ignore[untyped-decorator]  # scikit-learn has no types
    def transform(self, X: Any, *, return_labels: bool = False) -> Any:
        """Return the latent coordinates of each row in its most probable component, shape (n, q).

        Of ``covariance_type="ppca"``, ``"factor"`` and ``"mcfa"`` alone. They are posterior means
        of the factors. Those of "ppca" and "factor" have the mean 0 and the variance 1 in each
        component, which is that of `predict`; each has axes of its own, so that coordinates of
        different components do not compare. Those of "mcfa" have the axes of all components, and
        the mean 0 and the variance 1 over all of them: one picture shows all rows.

        Parameters
        ----------
        X : as in `fit`
        return_labels : bool, default=False
            Whether the components are returned too, from the same read of X and the same E-step.

        Returns
        -------
        array of shape (n, q)
            As `predict_proba` returns it: lazy where that is, labelled for labelled X. NaN for
            outliers, and where a value is missing.
        labels : array of int64, shape (n,)
            With ``return_labels=True``, as `predict` returns them:
            ``inverse_transform(*transform(X, return_labels=True))`` are the reconstructions.

        Examples
        --------
        >>> import numpy as np
        >>> from daskgmm import GaussianMixture
        >>> X = np.random.default_rng(0).normal(size=(500, 3)) * [5.0, 1.0, 1.0]
        >>> mixture = GaussianMixture(covariance_type="ppca", n_factors=1).fit(X)
        >>> mixture.transform(X).shape
        (500, 1)
        """
        if return_labels:
            return self._predict_together(("latent", "label"), X)
        return self._predict("latent", X)

    @available_if(_has_factors)  # type: ignore[untyped-decorator]  # scikit-learn has no types
    def inverse_transform(self, Z: Any, labels: Any) -> Any:
        r"""Return the points that latent coordinates stand for, :math:`\mu_k + W_k z` [1]_.

        Of ``covariance_type="mcfa"`` it is :math:`\mu_0 + W z`, whatever the component is, with the
        mean :math:`\mu_0` of all components.

        Parameters
        ----------
        Z : array of shape (n, q)
            As `transform` returns it: of NumPy or Dask, a data frame of Dask, or labelled.
        labels : array of int, shape (n,)
            The component of each row, as `predict` returns it.

        Returns
        -------
        array of shape (n, d)
            Points of the data, in the form of Z; lazy if Z or the labels are. NaN where a label is
            below 0. Of labelled arrays the dimension "feature" is the last, with the names of the
            features.

        Raises
        ------
        DataError
            If shapes or forms do not go together, or a component does not exist.

        References
        ----------
        .. [1] M. E. Tipping, C. M. Bishop, "Mixtures of probabilistic principal component
           analysers", Neural Computation 11 (1999) 443-482, https://doi.org/10.1162/089976699300016728

        Examples
        --------
        >>> import numpy as np
        >>> from daskgmm import GaussianMixture
        >>> X = np.random.default_rng(0).normal(size=(500, 3)) * [5.0, 1.0, 1.0]
        >>> mixture = GaussianMixture(covariance_type="ppca", n_factors=1).fit(X)
        >>> mixture.inverse_transform(*mixture.transform(X, return_labels=True)).shape
        (500, 3)
        """
        check_is_fitted(self)
        points = Points(self._parameters(), self._coordinates(), feature_names(self))
        return points.of(Z, labels)

    @property
    def factor_loadings_(self) -> NDArray[np.float64]:
        """Loadings of the factors, the largest first: (k, d, q), (d, q) of ``"mcfa"``.

        Of ``covariance_type="ppca"`` and ``"factor"`` covariances are W W^T plus the noise; of
        ``"mcfa"`` that is the covariance of all components together.
        """
        return factor_loadings(self._with_factors())

    @property
    def noise_variance_(self) -> NDArray[np.float64]:
        """Noise variances: (k,) of "ppca", (k, d) of "factor", (d,) of "mcfa"."""
        return noise_variances(self._with_factors())

    @property
    def explained_variance_(self) -> NDArray[np.float64]:
        """Variances along the factors, the largest first: (k, q), (q,) of ``"mcfa"``.

        Of ``covariance_type="ppca"`` those along principal axes, noise included, as in
        scikit-learn's `PCA`; of others the squared lengths of loadings.
        """
        return explained_variances(self._with_factors())

    @property
    def factor_means_(self) -> NDArray[np.float64]:
        """Means of the factors in each component of ``covariance_type="mcfa"``, shape (k, q)."""
        return self._shared_factors().means

    @property
    def factor_covariances_(self) -> NDArray[np.float64]:
        """Covariances of the factors in each component of "mcfa", shape (k, q, q)."""
        return self._shared_factors().covariances

    def _shared_factors(self) -> SharedFactors:
        shared = SharedFactors.of(self._with_factors())
        if shared is None:
            raise AttributeError("Components share their factors with covariance_type='mcfa'.")
        return shared

    def _with_factors(self) -> Parameters:
        """Return the parameters if they have factors."""
        if self.covariance_type not in FAMILIES or not hasattr(self, "covariances_"):
            raise AttributeError(
                f"A {type(self).__name__} has factors once it is fitted, with a covariance_type "
                f"of {', '.join(map(repr, FAMILIES))}."
            )
        return self._parameters()
