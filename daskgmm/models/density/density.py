"""Methods of a mixture as a density."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from daskgmm.errors import SettingError
from daskgmm.gaussian.density.modes import Modes, modes
from daskgmm.models.density.density_rank import RANK, Level, RanksOfRows, rank_output
from daskgmm.models.density.divergence import Divergence, divergence
from daskgmm.models.density.plain import check_density
from daskgmm.models.density.sampled import Sampled, check_whole, seed_of
from daskgmm.models.predictions.forms.in_any_form import InAnyForm
from daskgmm.rows.sources import source_of

if TYPE_CHECKING:
    pass

DRAWN = 100_000
"""Rows that are drawn where there is no closed form: probabilities are then exact to 0.003."""


class Density(Sampled):
    """A mixture that can be compared with another one, and its own density with that of rows."""

    _is_base = True

    def density_rank(self, X: Any, *, n_drawn: int = DRAWN, seed: int = 0) -> Any:
        r"""Return the probability of a density as low as that of each row, shape (n,).

        An anomaly score that is a probability: of rows of the mixture it is uniform from 0 to 1, so
        that 1 % of these are below 0.01. 1 less the rank is the probability of the region of
        highest density that the row is on the border of [1]_.

        Parameters
        ----------
        X : as in `fit`
        n_drawn : int, default=100_000
            m, rows that are drawn from the mixture to compare with. Of a single Gaussian the rank
            is exact: that of the chi-square distribution of the squared distance.
        seed : int, default=0
            Of these rows.

        Returns
        -------
        array of shape (n,)
            As `score_samples` returns it. A rank r has the standard error
            :math:`\sqrt{r (1 - r) / m}`, and is 1 / (m + 1) at least. With `missing="marginalise"`
            a row that misses values ranks among the values of the columns that it has.

        Raises
        ------
        SettingError
            If a setting cannot be used.
        ValueError
            Of a `BayesianGaussianMixture`, which has no normalised density.

        References
        ----------
        .. [1] R. J. Hyndman, "Computing and graphing highest density regions", The American
           Statistician 50 (1996) 120-126, https://doi.org/10.1080/00031305.1996.10474359

        Examples
        --------
        >>> from daskgmm import GaussianMixture
        >>> mixture = GaussianMixture.from_parameters([1.0], [[0.0]], [1.0])
        >>> mixture.density_rank([[0.0], [1.96], [5.0]]).round(3)
        array([1.  , 0.05, 0.  ])
        """
        predictor = self._predictor()
        predictor.own_outputs = {RANK: partial(rank_output, self._ranks(n_drawn, seed))}
        (found,) = source_of(X).predicted(InAnyForm(self, predictor, (RANK,)))
        return found

    def density_level(self, mass: float, *, n_drawn: int = DRAWN, seed: int = 0) -> Level:
        """Return the border of the smallest region that holds a probability.

        Rows whose `score_samples` is above it are in the region of highest density [1]_.

        Parameters
        ----------
        mass : float
            The probability, between 0 and 1.
        n_drawn, seed : int
            As of `density_rank`.

        Returns
        -------
        Level
            With `log_density`, and an interval for it of 95 %: `lowest`, `highest`.

        Raises
        ------
        SettingError, ValueError
            As of `density_rank`.

        References
        ----------
        .. [1] R. J. Hyndman, "Computing and graphing highest density regions", The American
           Statistician 50 (1996) 120-126, https://doi.org/10.1080/00031305.1996.10474359

        Examples
        --------
        >>> from daskgmm import GaussianMixture
        >>> mixture = GaussianMixture.from_parameters([1.0], [[0.0]], [1.0])
        >>> level = mixture.density_level(0.95)
        >>> mixture.score_samples([[1.9], [2.1]]) > level.log_density
        array([ True, False])
        """
        if not isinstance(mass, (float, int, np.number)) or not 0.0 < mass < 1.0:
            raise SettingError(f"mass is {mass!r}; give a probability between 0 and 1.")
        return self._ranks(n_drawn, seed).whole.level(mass)

    def modes(self) -> Modes:
        """Return the modes of the density that the means of components climb to [1]_.

        Returns
        -------
        Modes
            With `points` (m, d) in the units of the data, the highest one first, `log_densities`
            (m,) as of `score_samples`, and `of_components` (k,): the mode of each component, -1 for
            one without weight. Without the noise, which moves no mode.

        Raises
        ------
        ValueError
            Of a `BayesianGaussianMixture`, which has no normalised density.

        References
        ----------
        .. [1] M. A. Carreira-Perpinan, "Mode-finding for mixtures of Gaussian distributions", IEEE
           Transactions on Pattern Analysis and Machine Intelligence 22 (2000) 1318-1323,
           https://doi.org/10.1109/34.888716

        Examples
        --------
        >>> from daskgmm import GaussianMixture
        >>> mixture = GaussianMixture.from_parameters([0.3, 0.7], [[0.0], [9.0]], [1.0, 1.0])
        >>> mixture.modes().points.round(2)
        array([[9.],
               [0.]])
        """
        check_is_fitted(self)
        parameters, coordinates = self._parameters(), self._coordinates()
        check_density(parameters)
        found = modes(parameters)
        return (
            found if coordinates is None else replace(found, points=coordinates.undo(found.points))
        )

    def divergence(self, other: Density, *, n_drawn: int = DRAWN, seed: int = 0) -> Divergence:
        r"""Return the Kullback-Leibler divergence :math:`E_p \log (p / q)` from another mixture.

        p is this mixture and q the other one, both over the columns of the data [1]_.

        Parameters
        ----------
        other : Density
            Over the same columns.
        n_drawn : int, default=100_000
            Rows that are drawn from this mixture. Of two Gaussians the value is exact.
        seed : int, default=0
            Of these rows.

        Returns
        -------
        Divergence
            With `value`, in nats, and its `standard_error`.

        Raises
        ------
        SettingError
            If the other one is no mixture of daskgmm, or over different columns.
        ValueError
            As of `marginal`.

        References
        ----------
        .. [1] S. Kullback, R. A. Leibler, "On information and sufficiency", Annals of Mathematical
           Statistics 22 (1951) 79-86, https://doi.org/10.1214/aoms/1177729694

        Examples
        --------
        >>> from daskgmm import GaussianMixture
        >>> mixture = GaussianMixture.from_parameters([1.0], [[0.0]], [1.0])
        >>> other = GaussianMixture.from_parameters([1.0], [[2.0]], [1.0])
        >>> mixture.divergence(other).value
        2.0
        """
        if not isinstance(other, Density):
            raise SettingError(
                f"other is a {type(other).__name__}; give a mixture of daskgmm, as "
                "GaussianMixture.from_sklearn and GaussianMixture.from_parameters make one."
            )
        check_is_fitted(self)
        check_is_fitted(other)
        ours, theirs = (self._n_columns(), self._names()), (other._n_columns(), other._names())
        known = None not in (ours[1], theirs[1])
        if ours[0] != theirs[0] or (known and ours[1] != theirs[1]):
            raise SettingError(
                f"The mixtures are over different columns: {ours[0]} ({_listed(ours[1])}) and "
                f"{theirs[0]} ({_listed(theirs[1])}). Take `marginal` of the ones that both have."
            )
        check_whole("n_drawn", n_drawn, 2)
        return divergence(self._plain(), other._plain(), seed_of(seed), n_drawn)

    def _ranks(self, n_drawn: int, seed: int) -> RanksOfRows:
        check_is_fitted(self)
        check_density(self._parameters())
        check_whole("n_drawn", n_drawn, 100)
        sampler = self._sampler(seed_of(seed))
        return RanksOfRows.of(replace(sampler, coordinates=None), n_drawn)


def _listed(names: tuple[str, ...] | None) -> str:
    return "without names" if names is None else ", ".join(names)
