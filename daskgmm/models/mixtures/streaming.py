"""What one does with a fitted mixture when new rows come: test them, and continue with them."""

from __future__ import annotations

from typing import Any, Self

from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from daskgmm.models.drift.drift import Drift
from daskgmm.models.drift.measuring import drift_of
from daskgmm.models.facts.seen import seen_of
from daskgmm.models.mixtures.components import Components
from daskgmm.models.mixtures.moments import MixtureMoments
from daskgmm.models.mixtures.updating import Update, check_as_begun, check_streams, updated


def _maximises_likelihood(mixture: Streaming) -> bool:
    """Return True for an estimator of maximum likelihood; raise why another has no such method."""
    if hasattr(mixture, "weight_concentration_prior_type"):
        raise AttributeError(
            f"A {type(mixture).__name__} has no partial_fit: the prior of its posterior is not in "
            "its parameters. Fit a GaussianMixture."
        )
    return True


class Streaming(Components):
    """A mixture that new rows are held against, and that continues with them."""

    _is_base = True

    n_seen_: float

    def drift(self, X: Any, sample_weight: Any = None, *, reference: Drift | None = None) -> Drift:
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
            that is so of `equal_weights`, of labels that the model contradicts, and component by
            component of covariances that components share or that are otherwise constrained.

        Returns
        -------
        Drift
            Effects, `p_value`, and adjusted p values of components and features.

        Raises
        ------
        DataError
            If X has too few rows, or a row cannot be used.
        SettingError
            Of a mixture with `noise`, `tails`, ``missing="marginalise"``, a variational posterior
            or a fit with `noise_variance`; or if `reference` is from another mixture.

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

        Examples
        --------
        >>> import numpy as np
        >>> from daskgmm import GaussianMixture
        >>> X = np.random.default_rng(0).normal(size=(4000, 1))
        >>> mixture = GaussianMixture().fit(X[:2000])
        >>> mixture.drift(X[2000:]).p_value > 0.01
        True
        >>> mixture.drift(X[2000:] + 1).p_value < 1e-6
        True
        """
        check_is_fitted(self)
        return drift_of(self, X, sample_weight, reference)

    def update(
        self,
        X: Any,
        forget: float = 0.0,
        sample_weight: Any = None,
        *,
        replaces: MixtureMoments | None = None,
        max_iter: int = 1,
        tol: float = 0.0,
    ) -> Self:
        r"""Return this mixture after EM on new rows beside those that it holds.

        Parameters of a structure whose M-step can be undone tell the moments of the rows that they
        were estimated from, but for their number: so the past is in the mixture, and moments of new
        rows are added to it. Each pass over X takes the responsibilities of its rows under the last
        parameters; rows of the past keep those that they had.

        Parameters
        ----------
        X : as in `fit`, or MixtureMoments
            Rows, or their `moments` under this mixture.
        forget : float, default=0
            Part of the weight of earlier rows that is left out, once for this call: 0 forgets
            nothing, and with 1 it is `fit` on X alone, by plain EM from these parameters.
        sample_weight : as in `fit`, optional
            In the unit of the weights of earlier rows, where a row without a weight counts 1.
        replaces : MixtureMoments, optional
            What X was when it was counted before: its `moments` at that time. They are taken out
            of the past, so that X takes the place of its old self: incremental EM [1]_. Not with
            `forget`.
        max_iter : int, default=1
            Most passes over X.
        tol : float, default=0
            Stop when the objective rises by less, in nats per row. `converged_` says so.

        Returns
        -------
        Mixture
            A new one of this class and settings; this one stays as it is. `n_seen_` is the weight
            of the rows that it holds, which the next update continues from; model files keep it.
            `lower_bounds_` are mean log-likelihoods of X under the mixture before each step, in
            nats per row, and `lower_bound_` is the last one.

        Raises
        ------
        SettingError
            If the past is asked for and not in the parameters: with `equal_weights` or a
            constrained covariance structure (all but "full", "tied", "diag", "spherical", "EII" and
            "EEI"), after a fit with `noise_variance`, or where `n_seen_` is not known, as of a
            mixture made from parameters: it may be set. Or as in `moments`; or if an argument is
            wrong.
        DataError
            If a row cannot be used.
        ValueError
            If a covariance is singular.

        Warns
        -----
        ScaleWarning, DegenerateComponentWarning
            As `step` does.

        Notes
        -----
        What never falls, but for `reg_covar`, from pass to pass over X, is
        :math:`\sum_{n \in X} w_n \log p(x_n) + \sum_{past} w_n \sum_k \gamma_{nk} \log \pi_k
        N(x_n | \mu_k, \Sigma_k)` with the responsibilities :math:`\gamma` that the past had when it
        was seen: up to a constant a lower bound of the log-likelihood of all rows, so with
        ``forget=0`` this bound does not fall either when X is added. What may fall is the
        log-likelihood itself, of the past, of X or of all rows together, and a bound after
        `forget` is one of other weights. A stationary point is one of the likelihood of all rows
        only if the past's responsibilities are renewed as well: with `replaces`, part by part and
        round after round, the bound is the free energy of [1]_, whose maxima are those of the
        likelihood, and no update lowers it.

        References
        ----------
        .. [1] R. M. Neal, G. E. Hinton, "A view of the EM algorithm that justifies incremental,
           sparse, and other variants", Learning in Graphical Models (1998) 355-368,
           https://doi.org/10.1007/978-94-011-5014-9_12

        Examples
        --------
        >>> import numpy as np
        >>> from daskgmm import GaussianMixture
        >>> X = np.random.default_rng(0).normal(size=(3000, 1))
        >>> mixture = GaussianMixture().fit(X[:1000])
        >>> later = mixture.update(X[1000:])
        >>> np.allclose(later.means_, X.mean()), later.n_seen_
        (True, 3000.0)
        """
        check_is_fitted(self)
        return updated(self, X, sample_weight, Update(forget, replaces, max_iter, tol))

    @available_if(_maximises_likelihood)  # type: ignore[untyped-decorator]  # no types there
    def partial_fit(
        self, X: Any, y: Any = None, sample_weight: Any = None, *, forget: float = 0.0
    ) -> Self:
        """Fit to the first rows of a stream, then continue with the rows of each call in one pass.

        The first call is `fit`; each later one is `update`, of this estimator itself. A row is
        looked at once, so the result depends on the order of the rows: give first ones that are
        like the rest, and enough of them.

        Parameters
        ----------
        X : as in `fit`
        y : ignored
        sample_weight : as in `fit`, optional
        forget : float, default=0
            As of `update`. With the same f in each call, rows seen t calls ago have the weight
            (1 - f)^t.

        Returns
        -------
        MixtureEstimator
            This estimator. `n_seen_` is the weight of the rows that it holds.

        Raises
        ------
        SettingError
            Before the first pass, if settings leave nothing to continue from, see `update`, or were
            changed since the first call to those of another mixture.

        Examples
        --------
        >>> import numpy as np
        >>> from daskgmm import GaussianMixture
        >>> X = np.random.default_rng(0).normal(size=(3000, 1))
        >>> mixture = GaussianMixture()
        >>> for start in range(0, 3000, 1000):
        ...     mixture = mixture.partial_fit(X[start : start + 1000])
        >>> mixture.n_seen_
        3000.0
        """
        asked = Update(forget)
        check_streams(self)
        if hasattr(self, "means_"):
            check_as_begun(self)
            after = updated(self, X, sample_weight, asked)
            self.__dict__.clear()
            self.__dict__.update(after.__dict__)
        else:
            estimator: Any = self
            estimator.fit(X, sample_weight=sample_weight)
            seen_of(self).set_on(self)
        return self
