"""Mixtures over some columns of a mixture: marginal and conditional ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from daskgmm.em.survey.values import LARGEST_VALUE
from daskgmm.errors import SettingError
from daskgmm.gaussian.density.conditionals import conditional
from daskgmm.gaussian.parameters import Parameters
from daskgmm.models.density.columns import others, places
from daskgmm.models.density.given_parameters import made_of
from daskgmm.models.density.plain import plain, settings_kept
from daskgmm.models.files.portable import Portable
from daskgmm.models.inputs.rows import feature_names

if TYPE_CHECKING:
    from daskgmm.models.gaussian_mixture import GaussianMixture


class OverColumns(Portable):
    """A mixture that can be conditioned, and integrated over columns.

    New mixtures are in the units of the data, also of one with `standardise` or `pca`.
    """

    _is_base = True

    def marginal(self, columns: int | str | Sequence[int | str]) -> GaussianMixture:
        """Return the distribution of some columns alone [1]_.

        Parameters
        ----------
        columns : int, str or sequence of these
            Numbers or names, in the order that the new mixture is to have them.

        Returns
        -------
        GaussianMixture
            With "diag" covariances if this one's are along the axes, "tied" ones if components
            share them, else "full" ones; Student-t and contaminated components stay such.

        Raises
        ------
        SettingError
            If a column does not exist.
        ValueError
            Of a mixture with `noise`, with axes left out by `pca`, or of a
            `BayesianGaussianMixture`, which have no density over columns.

        References
        ----------
        .. [1] C. Bishop, "Pattern Recognition and Machine Learning", Springer (2006),
           section 2.3.2.

        Examples
        --------
        >>> from daskgmm import GaussianMixture
        >>> mixture = GaussianMixture.from_parameters([0.4, 0.6], [[0, 0], [4, 1]], [1.0, 2.0])
        >>> mixture.marginal([1]).means_
        array([[0.],
               [1.]])
        """
        chosen = places(columns, self._names(), self._n_columns())
        return self._mixture_over(self._plain(chosen), chosen)

    def condition(self, values: Mapping[int | str, float]) -> GaussianMixture:
        """Return the distribution of the other columns, given the values of some.

        Of Gaussian components these are Gaussian, with the responsibilities of the values as
        weights; a Student-t component has a degree of freedom more for each given column [1]_.

        Parameters
        ----------
        values : mapping from column to number
            Columns by number or name. For many rows see `regress`.

        Returns
        -------
        GaussianMixture
            Over the columns that are left, in their order; structures are as of `marginal`.

        Raises
        ------
        SettingError
            If a column does not exist, none is left, or a value is not finite.
        ValueError
            As of `marginal`.

        References
        ----------
        .. [1] P. Ding, "On the conditional distribution of the multivariate t distribution", The
           American Statistician 70 (2016) 293-295, https://doi.org/10.1080/00031305.2016.1164756

        Examples
        --------
        >>> from daskgmm import GaussianMixture
        >>> covariances = [[[1.0, 0.5], [0.5, 1.0]]]
        >>> mixture = GaussianMixture.from_parameters([1.0], [[0.0, 0.0]], covariances)
        >>> given = mixture.condition({0: 2.0})
        >>> given.means_, given.covariances_
        (array([[1.]]), array([[[0.75]]]))
        """
        if not isinstance(values, Mapping):
            raise SettingError(f"values is {values!r}; give a mapping from column to value.")
        d = self._n_columns()
        given = places(values, self._names(), d)
        rest, point = others(given, d), _point(values)
        return self._mixture_over(conditional(self._plain(), given, point, rest), rest)

    def _names(self) -> tuple[str, ...] | None:
        return feature_names(self)

    def _n_columns(self) -> int:
        check_is_fitted(self)
        coordinates = self._coordinates()
        return int(self.means_.shape[1]) if coordinates is None else coordinates.n_columns

    def _plain(self, columns: Sequence[int] | None = None) -> Parameters:
        return plain(self._parameters(), self._coordinates(), columns)

    def _mixture_over(self, parameters: Parameters, columns: Sequence[int]) -> GaussianMixture:
        """Return the mixture of parameters over some columns of the data."""
        # It is made from this class.
        from daskgmm.models.gaussian_mixture import GaussianMixture

        names = self._names()
        own = None if names is None else [names[place] for place in columns]
        mixture = made_of(GaussianMixture, parameters, settings_kept(self), own)
        if hasattr(self, "feature_dims_"):
            mixture.feature_dims_ = self.feature_dims_
        units = getattr(self, "feature_units_", None)
        if units is not None:
            mixture.feature_units_ = tuple(units[place] for place in columns)
        return mixture


def _point(values: Mapping[Any, Any]) -> np.ndarray[Any, np.dtype[np.float64]]:
    for column, value in values.items():
        try:
            finite = np.ndim(value) == 0 and abs(float(value)) <= LARGEST_VALUE
        except (TypeError, ValueError):
            finite = False
        if not finite:
            raise SettingError(
                f"The value of column {column!r} is {value!r}; give a number, of 1e150 at "
                "most. For many rows see `regress`."
            )
    return np.array([float(value) for value in values.values()])
