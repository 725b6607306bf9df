"""Exchange of a mixture: its card, its file, and its counterpart in scikit-learn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

from sklearn.utils.validation import check_is_fitted

from daskgmm.models.files.document_file import read_mixture, write_document
from daskgmm.models.files.model_document import UnknownNameError, document_of
from daskgmm.models.files.settings_entry import names_of
from daskgmm.models.files.sklearn_exchange import from_sklearn, to_sklearn
from daskgmm.models.mixtures.streaming import Streaming
from daskgmm.models.saved import Saved
from daskgmm.storage.address import Address


class Portable(Saved, Streaming):
    """A mixture that can be saved, loaded, and exchanged with scikit-learn."""

    _is_base = True

    def _write(self, address: Address) -> None:
        check_is_fitted(self)
        write_document(document_of(self), address)

    @classmethod
    def _read(cls, address: Address) -> Self:
        return read_mixture(cls._if_named, address)

    @classmethod
    def _if_named(cls, types: Sequence[str]) -> type[Self]:
        """Return this class, if a file of these types is of it or of what it is made from."""
        if set(types).isdisjoint(names_of(cls)):
            raise UnknownNameError(
                f"it holds a {types[0]}, not a {cls.__name__}. Read it with daskgmm.load_model, or "
                f"with {types[0]}.load."
            )
        return cls

    def to_sklearn(self) -> Any:
        """Return the same mixture as a fitted estimator of scikit-learn.

        Returns
        -------
        sklearn.mixture.GaussianMixture or sklearn.pipeline.Pipeline
            A pipeline of `StandardScaler`, `PCA` where there are axes, and the mixture, if
            this one was fitted in coordinates of its own; densities are those of the
            coordinates in both. Rows that miss a value are refused whatever `missing` is, and
            components of weight 0 make scikit-learn warn of log(0). scikit-learn has no prior:
            after a fit with one `lower_bound_` is the log-likelihood of `criteria_`, and
            `lower_bounds_` is empty.

        Warns
        -----
        ExchangeWarning
            If scikit-learn has not this covariance structure, or the weights are fixed
            (`equal_weights`), and its `bic` and `aic` count other parameters.

        Examples
        --------
        >>> from daskgmm import GaussianMixture
        >>> mixture = GaussianMixture.from_parameters([0.4, 0.6], [[0.0], [9.0]], [1.0, 1.0])
        >>> mixture.to_sklearn().predict([[8.0]])
        array([1])
        """
        check_is_fitted(self)
        return to_sklearn(self)

    @classmethod
    def from_sklearn(cls, fitted: Any) -> Self:
        """Return a fitted estimator of scikit-learn as a mixture of this library.

        Parameters
        ----------
        fitted : sklearn.mixture.GaussianMixture or sklearn.pipeline.Pipeline
            A pipeline as `to_sklearn` returns it: a `StandardScaler`, a `PCA` (without `whiten`)
            or both, in this order, then the mixture. They become its coordinates.

        Returns
        -------
        Mixture
            Of this class, with the parameters of the other, to the bit.

        Raises
        ------
        TypeError
            If it is another estimator, or a pipeline with other steps.
        ValueError
            If this class has a number of components, a covariance structure or coordinates of its
            own, and it has others.
        NotFittedError
            If it is not fitted.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn import mixture
        >>> from daskgmm import GaussianMixture
        >>> X = np.random.default_rng(0).normal(size=(300, 2))
        >>> theirs = mixture.GaussianMixture(2, random_state=0).fit(X)
        >>> ours = GaussianMixture.from_sklearn(theirs)
        >>> np.allclose(ours.score(X), theirs.score(X))
        True
        """
        return from_sklearn(fitted, cls)
