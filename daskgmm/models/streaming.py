"""What one does with a fitted mixture when new rows come: test them, and go on with them."""

from __future__ import annotations

from typing import Any

from sklearn.utils.validation import check_is_fitted

from daskgmm.models.components import Components
from daskgmm.models.drift.drift import Drift, drift_of


class Streaming(Components):
    """A mixture that new rows are held against."""

    _is_base = True

    def drift(
        self, X: Any, sample_weight: Any = None, *, reference: Drift | None = None
    ) -> Drift:
        r"""Test whether rows are from this mixture, in one streamed pass; say what has moved.

        Of each component and feature the means of :math:`\gamma_k`, :math:`\gamma_k z` and
        :math:`\gamma_k (z^2 - 1)` are compared with what they are under this mixture, with z in
        standard deviations of the component. These are scores of the likelihood: on the rows of
        the fit they are 0 even where the density is not that of a mixture of Gaussians. How much
        they vary is taken from up to 128 pieces of contiguous rows of X [1]_: so the test holds for
        rows that resemble their neighbours, as long as such a resemblance is short beside a piece,
        and for weights.

        Parameters
        ----------
        X : as in `fit`
            128 rows and more. Rows that miss a value are an error or left out as the setting
            `missing` says.
        sample_weight : as in `fit`, optional
        reference : Drift, optional
            ``mixture.drift(X_normal)`` of rows that are as they should be. X is then compared with
            these instead of the mixture. Needed where the mixture does not fit its own rows:
            component by component that is so of covariances that components share or that are
            otherwise constrained.

        Returns
        -------
        Drift
            Effects, `p_value`, and adjusted p values of components and features.

        Raises
        ------
        DataError
            If X has too few rows, or a row cannot be used.
        SettingError
            Of a mixture with `noise`, `tails`, ``missing="marginalise"`` or a variational
            posterior; or if `reference` is from another mixture.

        Warns
        -----
        ConvergenceWarning
            If the fit stopped so early that the test sees it.

        Notes
        -----
        The fit's own error is that of means over its rows: with N of them the variance of n new
        rows is 1 + n / N times as large. That takes the rows of the fit to be like those of X.
        Without `fitted_on_`, as of a mixture made from parameters, parameters are taken as exact.
        A change of correlations alone is not looked at.

        References
        ----------
        .. [1] J. N. K. Rao, A. J. Scott, "On chi-squared tests for multiway contingency tables with
           cell proportions estimated from survey data", Annals of Statistics 12 (1984) 46-60,
           https://doi.org/10.1214/aos/1176346391
        """
        check_is_fitted(self)
        return drift_of(self, X, sample_weight, reference)
