"""How well a fitted mixture fits rows: likelihood, criteria, known labels."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sklearn.utils import estimator_html_repr
from sklearn.utils.validation import check_is_fitted

from daskgmm.em.survey.weighing import check_meaning, check_some
from daskgmm.errors import WeightsWarning
from daskgmm.models.cards.mixture_card import mixture_card
from daskgmm.models.facts.criteria import (
    WITH_LABELS,
    Criteria,
    criteria_of_fit,
    doubt,
    rows_that_count,
)
from daskgmm.models.mixtures.known_labels import LabelAgreement, label_agreement
from daskgmm.models.mixtures.noisy_rows import (
    score_with_noise,
)
from daskgmm.models.mixtures.predicting import PredictingMixture
from daskgmm.models.predictions.scoring import Scored
from daskgmm.user_warnings import warn_user


class ScoringMixture(PredictingMixture):
    """A fitted mixture that is compared with others."""

    _is_base = True

    def score(
        self, X: Any, y: Any = None, sample_weight: Any = None, *, noise_variance: Any = None
    ) -> float:
        """Return the mean log-likelihood of the rows, in nats per row, in one streamed pass.

        Parameters
        ----------
        X : as in `fit`
        y : ignored
        sample_weight : as in `fit`, optional
            The mean is the weighted one, the same for any scale of the weights. Without weights
            each row counts once, also after a fit with weights.
        noise_variance : as in `fit`, optional
            Known noise of the rows; without it they have none, also after a fit with noise.

        Returns
        -------
        float
            In nats per row.

        Raises
        ------
        DataError
            If a row cannot be used, or none has a weight.

        Warns
        -----
        ResolutionWarning
            If a column holds integers beyond 2^53, which float64 rounds.

        Examples
        --------
        >>> from daskgmm import GaussianMixture
        >>> mixture = GaussianMixture.from_parameters([1.0], [[0.0]], [1.0])
        >>> round(mixture.score([[0.0], [2.0]]), 3)
        -1.919
        """
        scored = self._scored(X, sample_weight, noise_variance)
        return scored.log_likelihood / scored.weighing.total

    def bic(
        self,
        X: Any,
        sample_weight: Any = None,
        *,
        weights_are: str | None = None,
        noise_variance: Any = None,
    ) -> float:
        r"""Return the Bayesian information criterion, in one streamed pass; lower is better.

        Of :math:`p` free parameters, with the mean log-likelihood :math:`\bar\ell` of the rows,
        :math:`p \log n - 2 n \bar\ell` [1]_.

        Parameters
        ----------
        X : as in `fit`
        sample_weight : as in `fit`, optional
            Without weights n is the number of rows, also after a fit with weights.
        weights_are : {"relative", "counts"}, optional
            What the weights mean, as in `fit`, and so what n is; by default what was said there.
        noise_variance : as in `score`, optional

        Returns
        -------
        float
            In nats, of all rows together.

        Warns
        -----
        WeightsWarning
            If nothing was said, and the weights may be counts; or if they were said to be, and are
            no whole numbers.

        References
        ----------
        .. [1] G. Schwarz, "Estimating the dimension of a model", Annals of Statistics 6 (1978)
           461-464, https://doi.org/10.1214/aos/1176344136

        Examples
        --------
        >>> from daskgmm import GaussianMixture
        >>> mixture = GaussianMixture.from_parameters([0.4, 0.6], [[0.0], [9.0]], [1.0, 1.0])
        >>> round(mixture.bic([[0.5], [8.0], [9.5]]), 2)
        16.38
        """
        return self._criteria_of(X, sample_weight, weights_are, noise_variance).bic

    def aic(
        self,
        X: Any,
        sample_weight: Any = None,
        *,
        weights_are: str | None = None,
        noise_variance: Any = None,
    ) -> float:
        r"""Return Akaike's information criterion, :math:`2 p - 2 n \bar\ell` [1]_, as `bic` does.

        Parameters
        ----------
        X, sample_weight, weights_are, noise_variance : as in `bic`

        Returns
        -------
        float
            In nats, of all rows together.

        Warns
        -----
        WeightsWarning
            As `bic` does.

        References
        ----------
        .. [1] H. Akaike, "A new look at the statistical model identification", IEEE Transactions on
           Automatic Control 19 (1974) 716-723, https://doi.org/10.1109/TAC.1974.1100705

        Examples
        --------
        >>> from daskgmm import GaussianMixture
        >>> mixture = GaussianMixture.from_parameters([0.4, 0.6], [[0.0], [9.0]], [1.0, 1.0])
        >>> round(mixture.aic([[0.5], [8.0], [9.5]]), 2)
        20.89
        """
        return self._criteria_of(X, sample_weight, weights_are, noise_variance).aic

    def icl(
        self,
        X: Any,
        sample_weight: Any = None,
        *,
        weights_are: str | None = None,
        noise_variance: Any = None,
    ) -> float:
        r"""Return the integrated completed likelihood, in one streamed pass.

        :math:`\mathrm{BIC} - 2 \sum_n \sum_k \gamma_{nk} \log \gamma_{nk}`, in nats: BIC plus
        twice the entropy of the responsibilities [1]_. Lower is better, as for `bic`. It
        favours components that do not overlap: as many as there are clusters, where BIC takes
        as many as the density needs. Parameters are those of `bic`; with weights the entropy is n
        times its weighted mean.

        Parameters
        ----------
        X, sample_weight, weights_are, noise_variance : as in `bic`

        Returns
        -------
        float
            In nats, of all rows together.

        Warns
        -----
        WeightsWarning
            As `bic` does.

        Notes
        -----
        The labels are averaged over the responsibilities, as in [2]_; in [1]_ they are the
        most probable ones, and the sum is that of :math:`\log \max_k \gamma_{nk}`.

        References
        ----------
        .. [1] C. Biernacki, G. Celeux, G. Govaert, "Assessing a mixture model for clustering
           with the integrated completed likelihood", IEEE Transactions on Pattern Analysis and
           Machine Intelligence 22 (2000) 719-725, https://doi.org/10.1109/34.865189
        .. [2] G. McLachlan, D. Peel, "Finite Mixture Models", Wiley (2000), chapter 6.

        Examples
        --------
        >>> from daskgmm import GaussianMixture
        >>> mixture = GaussianMixture.from_parameters([0.4, 0.6], [[0.0], [9.0]], [1.0, 1.0])
        >>> round(mixture.icl([[0.5], [8.0], [9.5]]), 2)
        16.38
        """
        return self._criteria_of(X, sample_weight, weights_are, noise_variance, disorder=True).icl

    def label_agreement(self, X: Any, labels: Any, *, noise_variance: Any = None) -> LabelAgreement:
        """Return how far the labels of `predict` agree with known ones, in one streamed pass.

        Clusters stand in place of components after `merge_components`. Outliers are a group of
        their own. Texts in a file are read once more before, as each has to be known.

        Parameters
        ----------
        X : as in `fit`
        labels : array-like, Dask array, Zarr array, str, path or URL; shape (n,)
            Whole numbers, or names in memory or in a column of a table; a string that names a
            column or variable of X is that one. -1, NaN and null are unknown labels; but -1 is a
            label beside 1 alone.
        noise_variance : as in `fit`, optional

        Returns
        -------
        LabelAgreement
            With `adjusted_rand` and the table of rows by both labels, `contingency`.

        Raises
        ------
        DataError
            If no row has both labels, labels do not go with X, are measurements, or more than
            1,024.

        References
        ----------
        L. Hubert, P. Arabie, "Comparing partitions", Journal of Classification 2 (1985) 193-218,
        https://doi.org/10.1007/BF01908075

        Examples
        --------
        >>> from daskgmm import GaussianMixture
        >>> mixture = GaussianMixture.from_parameters([0.4, 0.6], [[0.0], [9.0]], [1.0, 1.0])
        >>> mixture.label_agreement([[0.5], [8.0], [9.5]], ["low", "high", "high"])
        3 rows
        adjusted Rand index  1.0000
        <BLANKLINE>
        known  0  1
        high   0  2
        low    1  0
        """
        check_is_fitted(self)
        return label_agreement(self, X, labels, noise_variance)

    @property
    def criteria_(self) -> dict[str, float | int | str]:
        r"""Criteria of the fit, without reading data.

        log_likelihood (mean, nats per row), n_parameters, n (the rows that count: see `weights_are`
        in `fit`), aic and bic (nan where n is unknown), and in words how they were measured. After
        `fit` that is in its last pass, for the parameters before the last step: `bic` of the same
        rows and weights differs by what that step changed, 2 n times `gap_estimate_` or so. The
        log-likelihood is that of the rows: where `lower_bound_` is that of rows with noise of
        variance `reg_covar`, or has the density of a prior in it, what these change is given
        back, of the noise to first order. Models of a sweep have criteria exactly, and icl,
        heldout and heldout_se too.

        After a fit with `noise_variance` it is the likelihood of the rows with their noise, as of
        `bic` with it. After one with `labels` a labelled row counts with :math:`\log \pi_k p_k(x)`
        of its component alone, so criteria compare with those of fits with the same labels; `bic`
        knows of none, and has the whole mixture's density of each row.

        Warns
        -----
        WeightsWarning
            As `bic` does.
        """
        check_is_fitted(self)
        if self._doubt is not None:
            warn_user(self._doubt, WeightsWarning)
        return self._known_criteria()

    def __dir__(self) -> list[str]:
        with _undoubted():
            return list(super().__dir__())

    def _get_fitted_attr_html(self, doc_link: str = "") -> Any:
        # Of scikit-learn's picture of an estimator, from 1.9 on.
        with _undoubted():
            return super()._get_fitted_attr_html(doc_link)

    def _html_repr(self) -> str:
        """Return what notebooks show: scikit-learn's picture before a fit, a card after it."""
        if not hasattr(self, "means_"):
            return str(estimator_html_repr(self))
        return mixture_card(self)

    def _known_criteria(self) -> dict[str, float | int | str]:
        if self._criteria is not None:
            return dict(self._criteria)
        n = rows_that_count(getattr(self, "fitted_on_", None) or {})
        mean = float(getattr(self, "lower_bound_", math.nan)) + self._discount
        found = criteria_of_fit(mean, int(self._n_parameters()), n)
        if self._ended_with is not None and self._ended_with.labels:
            found["measured"] = f"{found['measured']}{WITH_LABELS}"
        return found

    def _scored(
        self, x: Any, sample_weight: Any, noise_variance: Any = None, *, disorder: bool = False
    ) -> Scored:
        check_is_fitted(self)
        given = x, sample_weight, noise_variance
        scored, weighted = score_with_noise(self, self._predictor(), *given, disorder=disorder)
        check_some(scored.weighing, weighted)
        return scored

    def _criteria_of(
        self,
        x: Any,
        sample_weight: Any,
        weights_are: str | None,
        noise_variance: Any = None,
        *,
        disorder: bool = False,
    ) -> Criteria:
        check_meaning(weights_are)
        scored = self._scored(x, sample_weight, noise_variance, disorder=disorder)
        weighing = scored.weighing
        said = weights_are or (getattr(self, "fitted_on_", None) or {}).get("weights_are")
        if sample_weight is not None:
            message = doubt(weighing, said)
            if message is not None:
                warn_user(message, WeightsWarning)
        return Criteria(
            scored.log_likelihood / weighing.total,
            self._n_parameters(),
            weighing.counted(said),
            scored.entropy / weighing.total,
        )


@contextmanager
def _undoubted() -> Iterator[None]:
    """Let all attributes be looked at, which asks for no criteria."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", WeightsWarning)
        yield
