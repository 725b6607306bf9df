"""The classifier: mixtures of classes, fitted in shared passes."""

from __future__ import annotations

import os
from collections.abc import Hashable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import StrOptions

from daskgmm.companions import Companions
from daskgmm.counting import counted
from daskgmm.em.events import Listener, together
from daskgmm.em.survey.id_columns import judged_together, warn_of_ids_of
from daskgmm.em.survey.label_counts import LabelCounts, count_labels
from daskgmm.errors import DataError, SettingError
from daskgmm.gaussian.covariance.low_rank.families import FAMILIES
from daskgmm.live.showing import asked, showing
from daskgmm.models.classifying.class_priors import check_counted, priors_of
from daskgmm.models.classifying.fitted import FittedClassifier
from daskgmm.models.classifying.own_mixtures import (
    RowsOfClass,
    checkpoint_of,
    fit_own,
    joined,
    take_features,
)
from daskgmm.models.classifying.sizes import of_class, sizes_of
from daskgmm.models.classifying.wording import in_words_of_the_classifier
from daskgmm.models.fitting.estimator import MixtureEstimator
from daskgmm.models.gaussian_mixture import GaussianMixture
from daskgmm.models.inputs.costs import Running, TrainingData, cache_nbytes
from daskgmm.models.inputs.labels import KnownClasses
from daskgmm.models.inputs.target import Target
from daskgmm.names import ALL, COVARIANCES, MARGINALISE
from daskgmm.progress import Forecast
from daskgmm.rows.rows import Rows
from daskgmm.rows.sources import source_of
from daskgmm.storage.address import Address
from daskgmm.storage.masking import StorageOptions

SHARED, OWN = "shared", "own"
"""What classes have in common: one structure of covariances, or nothing."""

PASSED_ON = ("tails", "tol", "reg_covar", "max_iter", "missing", "standardise", "random_state")
"""Settings that are those of the mixtures."""

CHOSEN_BY = ("covariance_type", "criterion")
"""Settings that mixtures of their own are chosen by."""


@dataclass(frozen=True, slots=True)
class KnownTarget:
    """What y says: the classes (c,), their labelled rows (c,), and priors (c,), if given."""

    classes: NDArray[Any]
    counts: NDArray[np.int64]
    priors: NDArray[np.float64] | None

    def title(self, estimator: BaseEstimator) -> str:
        """Return what a display calls the fit."""
        return f"{type(estimator).__name__}, {counted(len(self.classes), 'class', 'es')}"


class GaussianMixtureClassifier(FittedClassifier):
    r"""Classifier whose classes are Gaussian mixtures, fitted out of core.

    A row belongs to a class with the posterior probability of its components. With one component a
    class and ``covariance_type="full"`` that is quadratic discriminant analysis, with "tied" linear
    (each with maximum-likelihood covariances); with other structures eigenvalue decomposition
    discriminant analysis (EDDA [1]_), and with more components mixture discriminant analysis [2]_.

    Rows of unknown class count too: a labelled row has the components of its class alone, another
    one those of all classes.

    Parameters
    ----------
    n_components : int, or mapping from classes to int, default=1
        Components of each class. With ``structures="own"`` also a sequence of numbers, or a mapping
        to these, of which the best by `criterion` is taken.
    covariance_type : str, default="full"
        As in `GaussianMixture`, without factors. With ``structures="own"`` also a sequence of
        names, or "all", of which each class has the best by `criterion`.
    structures : {"shared", "own"}, default="shared"
        "shared": the components of all classes are fitted together, in the same passes; what the
        structure shares, all of them share. "own": each class has a mixture of its own, chosen by
        `criterion` (MclustDA [3]_), in a sweep of its own: passes are as many as those of all
        classes together, and rows of unknown class are left out.
    criterion : {"bic", "aic", "icl", "heldout"}, default="bic"
        What chooses between numbers and structures of ``structures="own"``.
    priors : array-like of shape (c,), or mapping from classes to float, optional
        Prior probabilities of classes in predictions, up to a common factor: they are divided by
        their sum. By default the parts of the rows that the fit gave to each class. `class_prior_`
        can be set after the fit too.
    tails : {"contaminated", "t"} or None, default=None
        As in `GaussianMixture`: so outliers among the rows of a class do not widen it. There is no
        `noise`, as the uniform component is no class that a row can be given.
    tol, reg_covar, max_iter, missing, standardise, random_state : as in `GaussianMixture`
        With ``missing="drop"`` rows that miss a value are predicted to be of class -1 (-2 where -1
        is a class), or None where classes have names; with "marginalise" those that miss all.

    Attributes
    ----------
    classes_ : ndarray of shape (c,)
    class_prior_ : ndarray of shape (c,)
        May be set; predictions hold to it.
    class_count_ : ndarray of int, shape (c,)
        Labelled rows of each class, those that ``missing="drop"`` leaves out too.
    mixture_ : GaussianMixture
        The components of all classes. Its `clusters_` are the numbers of classes, places of
        `classes_`.
    n_iter_ : int
        Iterations of the fit; of the longest where classes have mixtures of their own.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (d,)
        Only if X has column names that are strings.

    References
    ----------
    .. [1] H. Bensmail, G. Celeux, "Regularized Gaussian discriminant analysis through eigenvalue
       decomposition", Journal of the American Statistical Association 91 (1996) 1743-1748.
    .. [2] T. Hastie, R. Tibshirani, "Discriminant analysis by Gaussian mixtures", Journal of the
       Royal Statistical Society B 58 (1996) 155-176.
    .. [3] C. Fraley, A. E. Raftery, "Model-based clustering, discriminant analysis, and density
       estimation", Journal of the American Statistical Association 97 (2002) 611-631.

    Examples
    --------
    >>> import numpy as np
    >>> from daskgmm import GaussianMixtureClassifier
    >>> X = np.array([[0.0], [1.0], [0.5], [8.0], [9.0], [8.4]])
    >>> y = ["low", "low", None, "high", "high", None]
    >>> classifier = GaussianMixtureClassifier().fit(X, y)
    >>> classifier.predict([[1.2], [7.0]])
    array(['low', 'high'], dtype='<U4')
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **{
            name: MixtureEstimator._parameter_constraints[name]
            for name in PASSED_ON
            if name != "missing"
        },
        "n_components": "no_validation",  # see `sizes_of`
        "covariance_type": "no_validation",
        "structures": [StrOptions({SHARED, OWN})],
        "criterion": [StrOptions({"bic", "aic", "icl", "heldout"})],
        "priors": ["array-like", dict, None],
        "missing": [StrOptions({"error", "drop", MARGINALISE})],
    }

    def __init__(
        self,
        n_components: Any = 1,
        *,
        covariance_type: str | Sequence[str] = "full",
        structures: str = SHARED,
        criterion: str = "bic",
        priors: Any = None,
        tails: str | None = None,
        tol: float = 1e-3,
        reg_covar: float = 1e-6,
        max_iter: int = 100,
        missing: str = "error",
        standardise: bool = False,
        random_state: Any = None,
    ) -> None:
        self.n_components = n_components
        self.covariance_type = covariance_type
        self.structures = structures
        self.criterion = criterion
        self.priors = priors
        self.tails = tails
        self.tol = tol
        self.reg_covar = reg_covar
        self.max_iter = max_iter
        self.missing = missing
        self.standardise = standardise
        self.random_state = random_state

    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        noise_variance: Any = None,
        feature_dims: Sequence[Hashable] | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
        cache: int | str | None = None,
        listen: Listener | None = None,
        progress: bool | None = None,
        storage_options: StorageOptions | None = None,
    ) -> Self:
        """Fit the mixtures of all classes; eager, whatever X is.

        Parameters
        ----------
        X : as in `GaussianMixture.fit`
        y : as `sample_weight` of `GaussianMixture.fit`; shape (n,)
            The class of each row: whole numbers, and -1 or NaN where it is unknown (but -1 is a
            class beside 1 alone, and NaN is unknown there). Arrays, lists and series in memory, and
            columns of tables and of lists of these, may hold names too, with None or NaN (null)
            for unknown; columns of Dask frames, and grids, hold numbers. A string is a column or
            a variable of X, or a path or URL.
        checkpoint : path or URL, optional
            As in `GaussianMixture.fit`. With ``structures="own"`` each class has a file of its own,
            named as this one with its place among the classes added, as "fit.json.0".
        sample_weight, noise_variance, feature_dims, cache : as in `GaussianMixture.fit`
        listen, progress, storage_options : as in `GaussianMixture.fit`

        Returns
        -------
        GaussianMixtureClassifier
            This estimator.

        Raises
        ------
        ValueError, OSError
            As `GaussianMixture.fit`, and of labels that are no classes: it names the row.
        KeyboardInterrupt
            As `GaussianMixture.fit`, which leaves the model so far; with ``structures="own"`` the
            estimator stays as it was.

        Examples
        --------
        >>> from daskgmm import GaussianMixtureClassifier
        >>> X, y = [[0.0], [1.3], [0.4], [8.0], [9.1], [8.7]], ["low"] * 3 + ["high"] * 3
        >>> GaussianMixtureClassifier().fit(X, y).classes_
        array(['high', 'low'], dtype=object)
        """
        self._validate_params()
        saved = None if checkpoint is None else Address.of(checkpoint, storage_options)
        running = Running(saved, cache, listen, asked(progress))
        with in_words_of_the_classifier():
            target = Target.of(source_of(X, storage_options), y)
            beside_x = sample_weight, None, feature_dims, target.labels, None, noise_variance
            given = TrainingData(target.source, *beside_x)
            # A mixture of its own: what the fit of another one failed at must not be left on this.
            probe = self._mixture(1, "full")
            rows, beside = given.rows(probe)
            assert beside.labels is not None, "y is given"
            found = count_labels(beside.labels)
            if not len(found.values):
                raise DataError(
                    "Input y contains NaN, or -1, alone: the class of no row is known. Fit a "
                    "GaussianMixture."
                )
            classes = target.classes(found.values)
            priors = None if self.priors is None else priors_of(self.priors, classes)
            known = KnownTarget(classes, found.counts, priors)
            if self.structures == SHARED:
                self._fit_shared(given, found, known, running)
            else:
                self._fit_own(rows, beside, found, known, running, probe)
        return self

    def _fit_shared(
        self, given: TrainingData, found: LabelCounts, known: KnownTarget, running: Running
    ) -> None:
        """Fit the components of all classes in the same passes."""
        sizes = sizes_of(self.n_components, known.classes, several=False)
        mixture, of_components = self._shared([k for (k,) in sizes])
        given = replace(given, known=KnownClasses(found, of_components))
        forecast = Forecast(float(self.tol), int(self.max_iter))
        try:
            with (
                mixture._kept_if_it_fails(None),
                showing(running.shown, known.title(self), forecast) as display,
            ):
                told = together(display, running.listen)
                size = cache_nbytes(running.cache)
                mixture._fit(given, running.checkpoint, size, told, progress=False)
        except KeyboardInterrupt:
            if hasattr(mixture, "means_"):  # the model so far
                with suppress(DataError):
                    self._take(mixture, of_components, known)
            raise
        self._take(mixture, of_components, known)

    def _fit_own(
        self,
        rows: Rows,
        beside: Companions[Rows],
        found: LabelCounts,
        known: KnownTarget,
        running: Running,
        probe: GaussianMixture,
    ) -> None:
        """Fit a mixture to the rows of each class, one class after the other, and join them."""
        assert beside.labels is not None, "y is given"
        sizes = sizes_of(self.n_components, known.classes, several=True)
        settings = {name: getattr(self, name) for name in (*PASSED_ON, *CHOSEN_BY)}
        settings |= {"cache": running.cache, "noise_variance": beside.noise, "progress": False}
        own = []
        with judged_together() as parts, showing(running.shown, known.title(self)) as display:
            settings["listen"] = together(display, running.listen)
            for place, name in enumerate(known.classes.tolist()):
                value = int(found.values[place])
                part = RowsOfClass(beside.labels, beside.weights, value, found.content)
                saved = checkpoint_of(running.checkpoint, place)
                own.append(fit_own(rows, part, sizes[place], name, saved, settings))
        warn_of_ids_of(parts, rows.columns)
        mixture, of_components = joined(own), of_class([len(each.weights_) for each in own])
        own_settings = {name: getattr(self, name) for name in ("missing", "tol", "max_iter")}
        take_features(mixture.set_params(**own_settings), probe)
        self._take(mixture, of_components, known)

    def _take(
        self, mixture: GaussianMixture, of_components: Sequence[int], target: KnownTarget
    ) -> None:
        """Set the fitted attributes; raise `DataError` if a class has no rows that count."""
        classes, priors = target.classes, target.priors
        shares = np.bincount(of_components, mixture.weights_, len(classes))
        check_counted(shares, classes)
        mixture.clusters_ = np.array(of_components, np.intp)
        self.classes_, self.class_count_, self.mixture_ = classes, target.counts, mixture
        self.n_iter_ = mixture.n_iter_
        self.class_prior_ = shares / shares.sum() if priors is None else priors

    def _validate_params(self) -> None:
        """Check the settings, those of the mixtures too, before anything is read."""
        super()._validate_params()
        types = self.covariance_type
        for name in (types,) if isinstance(types, str) else types:
            if name in FAMILIES:
                raise SettingError(
                    f"covariance_type={name!r} has a number of factors, which a classifier does "
                    f"not set. Choose one without: {', '.join(COVARIANCES)}."
                )
        if self.structures == SHARED:
            self._shared([1])[0]._validate_params()

    def _mixture(self, k: int, covariance_type: str) -> GaussianMixture:
        settings = {name: getattr(self, name) for name in PASSED_ON}
        return GaussianMixture(k, covariance_type=covariance_type, **settings)

    def _shared(self, sizes: Sequence[int]) -> tuple[GaussianMixture, tuple[int, ...]]:
        """Return the mixture of all classes, not fitted, and the class of each component."""
        if not isinstance(self.covariance_type, str) or self.covariance_type == ALL:
            raise SettingError(
                f"covariance_type is {self.covariance_type!r}; the classes share one structure. "
                "Set structures='own' to choose one for each class."
            )
        return self._mixture(sum(sizes), self.covariance_type), of_class(sizes)
