"""A fitted mixture: its parameters, in its coordinates and in the units of the data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, DensityMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from daskgmm.em.objective import Objective
from daskgmm.em.settings import n_of_outliers
from daskgmm.gaussian.components.merging import covariance_matrices
from daskgmm.gaussian.coordinates import Coordinates
from daskgmm.gaussian.covariance.structures import STRUCTURES, n_parameters
from daskgmm.gaussian.parameters import Parameters
from daskgmm.models.facts.clusters import clusters_of
from daskgmm.models.inputs.rows import feature_names
from daskgmm.models.mixtures.named_model import ReadFrom
from daskgmm.models.mixtures.sampling import sample_mixture
from daskgmm.models.predictions.prediction import Predictor
from daskgmm.models.settings.equal_weights import has_equal_weights
from daskgmm.models.settings.factors import name_with_factors
from daskgmm.models.settings.missing import transform_of
from daskgmm.models.settings.outliers import box_of, fitted_outliers, with_outliers_of


def set_arrays(mixture: Any, parameters: Parameters, *, copied: bool = False) -> None:
    """Give an estimator weights, means and covariances, in the shapes that scikit-learn has."""
    structure, d = STRUCTURES[parameters.structure], parameters.n_features
    factors = parameters.precisions_cholesky
    found = {
        "weights_": parameters.weights,
        "means_": parameters.means,
        "covariances_": structure.external(parameters.covariances, d),
        "precisions_cholesky_": structure.external(factors, d),
    }
    for name, values in found.items():
        setattr(mixture, name, values.copy() if copied else values)
    mixture.precisions_ = structure.external(structure.precision.precisions(factors), d)


class FittedMixture(DensityMixin, BaseEstimator):  # type: ignore[misc]
    """A mixture with fitted attributes, read anew at each call, so that users may set them."""

    _is_base = True
    """Whether a class is no estimator itself; looked up in the class alone."""

    covariance_type: str
    equal_weights: bool
    n_factors: int | None = None
    random_state: Any
    weights_: NDArray[np.float64]
    means_: NDArray[np.float64]
    covariances_: NDArray[np.float64]
    precisions_cholesky_: NDArray[np.float64]
    noise_weight_: float
    noise_log_volume_: float
    clean_shares_: NDArray[np.float64]
    inflations_: NDArray[np.float64]
    tail_degrees_: NDArray[np.float64]
    adapted_: dict[str, Any]
    clusters_: NDArray[np.intp]
    _criteria: dict[str, float | int | str] | None = None
    _discount: float = 0.0
    """By how much `lower_bound_` is less than the mean log-likelihood, in nats per row."""
    _ended_with: Objective | None = None
    """What the last fit raised; None if attributes were set by hand: then it is the likelihood."""
    _read_from: ReadFrom | None = None
    _class_name: str | None = None
    """Name of the class that it predicts for, if that is not its own."""
    _own_outputs: Mapping[str, Any] | None = None
    """Outputs that are not those of `OUTPUTS`, as `Predictor` has them."""
    _doubt: str | None = None
    """What to warn of where criteria of the fit are asked for."""
    _degenerate: tuple[str, ...] = ()
    """What the last fit said of degenerate components."""

    def sample(self, n_samples: int = 1) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Draw rows from the mixture, ordered by component; those of the noise come last.

        After a fit with `noise_variance` they are rows without that noise.

        Parameters
        ----------
        n_samples : int, default=1
            Number of rows, n.

        Returns
        -------
        X : ndarray of shape (n_samples, d)
            The rows, in the units of the data.
        y : ndarray of shape (n_samples,)
            The component of each row, -1 for the noise.

        Examples
        --------
        >>> from daskgmm import GaussianMixture
        >>> mixture = GaussianMixture.from_parameters([0.4, 0.6], [[0.0], [9.0]], [1.0, 1.0])
        >>> X, y = mixture.sample(100)
        >>> X.shape, y.shape
        ((100, 1), (100,))
        """
        check_is_fitted(self)
        if n_samples < 1:
            raise ValueError(
                f"Invalid value for 'n_samples': {n_samples} . The sampling requires at "
                "least one sample."
            )
        random, coordinates = check_random_state(self.random_state), self._coordinates()
        parameters = self._parameters()
        box = box_of(self) if parameters.has_noise else None
        x, components = sample_mixture(parameters, n_samples, random, box)
        return (x if coordinates is None else coordinates.undo(x)), components

    def means_in_data_units(self) -> NDArray[np.float64]:
        """Return the means as points of the data, shape (k, d): `means_` without preprocessing.

        Axes that `pca` left out are at the mean of the rows.

        Returns
        -------
        ndarray of shape (k, d)
            In the units of the data.

        Examples
        --------
        >>> import numpy as np
        >>> from daskgmm import GaussianMixture
        >>> X = np.array([[10.0], [20.0], [30.0]])
        >>> mixture = GaussianMixture(standardise=True).fit(X)
        >>> mixture.means_in_data_units()
        array([[20.]])
        """
        check_is_fitted(self)
        coordinates = self._coordinates()
        means = self._parameters().means
        return means.copy() if coordinates is None else coordinates.undo(means)

    def covariances_in_data_units(self) -> NDArray[np.float64]:
        """Return the covariance matrices in squared units of the data, shape (k, d, d).

        Whatever the structure, a matrix for each component. After `pca` their rank is that of
        the mixture's coordinates: the variance along axes that were left out is not in them.

        Returns
        -------
        ndarray of shape (k, d, d)
            In squared units of the data.

        Examples
        --------
        >>> import numpy as np
        >>> from daskgmm import GaussianMixture
        >>> X = np.array([[10.0], [20.0], [30.0]])
        >>> mixture = GaussianMixture(standardise=True).fit(X)
        >>> mixture.covariances_in_data_units().round(1)
        array([[[66.7]]])
        """
        check_is_fitted(self)
        parameters, coordinates = self._parameters(), self._coordinates()
        covariances = covariance_matrices(parameters)
        if coordinates is None:
            return covariances.copy()
        return coordinates.undo_covariances(covariances)

    def _predictor(self, seed: int | None = None) -> Predictor:
        transform = transform_of(self, self._coordinates())
        clusters = clusters_of(self)
        merged = None if clusters is None else tuple(map(int, clusters))
        names, own = feature_names(self), self._own_outputs
        predictor = Predictor(self._parameters(), names, transform, merged, own)
        predictor.seed = seed
        return predictor

    def _coordinates(self) -> Coordinates | None:
        return getattr(self, "coordinates_", None)

    def _parameters(self) -> Parameters:
        name = self._structure_name
        fitted = getattr(self, "_fitted_structure", name)
        if fitted != name:
            raise ValueError(
                f"covariance_type was set to {name!r} after a fit with {fitted!r}. "
                "Fit again, or set it back."
            )
        structure = STRUCTURES[name]
        means = np.asarray(self.means_, np.float64)
        factors = np.asarray(self.precisions_cholesky_, np.float64)
        factors = structure.internal(factors, *means.shape)
        # Whoever sets the attributes by hand sets what scikit-learn reads: not this one.
        covariances = getattr(self, "covariances_", None)
        if covariances is None:
            covariances = structure.precision.covariances(factors)
        else:
            covariances = structure.internal(np.asarray(covariances, np.float64), *means.shape)
        weights = np.asarray(self.weights_, np.float64)
        parameters = Parameters(name, weights, means, covariances, factors)
        return with_outliers_of(self, parameters)

    @property
    def _structure_name(self) -> str:
        """Name of the covariance structure in `STRUCTURES`."""
        return name_with_factors(self.covariance_type, self.n_factors)

    def _own_entries(self) -> dict[str, Any]:
        """Return the entries of a model file that only this kind of mixture has."""
        return {}

    def _set_own_entries(self, document: Mapping[str, Any]) -> None:
        """Set the attributes of these entries, after those of every mixture."""

    def _n_parameters(self) -> int:
        k, d = self.means_.shape
        structure, equal = STRUCTURES[self._structure_name], has_equal_weights(self)
        free = n_parameters(structure, k, d, equal_weights=equal)
        return free + n_of_outliers(fitted_outliers(self), k)
