"""Result of a sweep: its table, its models, and the best of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from daskgmm.counting import counted
from daskgmm.drawing.criterion import criterion_curve
from daskgmm.errors import ChoiceWarning
from daskgmm.markup.carded import Carded
from daskgmm.models.cards.sweep_card import sweep_card
from daskgmm.models.choice import doubts, place_of_best
from daskgmm.models.fitting.estimator import MixtureEstimator
from daskgmm.names import CRITERIA
from daskgmm.user_warnings import warn_user


def checked(criterion: str) -> str:
    """Return the criterion; raise `ValueError` unless it is one of `CRITERIA`."""
    if criterion not in CRITERIA:
        raise ValueError(f"criterion is {criterion!r}; give one of {', '.join(CRITERIA)}.")
    return criterion


@dataclass(frozen=True, repr=False)
class Sweep(Carded):
    """Result of a sweep.

    Attributes
    ----------
    table : dict of lists
        One entry for each start of each size and structure, and its model; `pandas.DataFrame` takes
        it as it is. Columns: n_components, covariance_type, start (1, 2, ...: its place among the
        starts of its size and structure; 1 is the best one on the sample, or the one that went on
        instead because that ended with degenerate components), seed (of its start, or of the
        neighbour's from which it came by a component that was split or a pair that was merged),
        status ("fitted" on all rows, "sample": beaten there, so that no pass is made for it, or
        "failed"),
        log_likelihood (mean, nats per row, of all rows), n_parameters, n (the rows that count: see
        `weights_are` of `GaussianMixture.fit`), aic, bic, icl (lower is better), heldout and
        heldout_se (mean log-likelihood of rows held out of the sample, and its standard error; nan
        for all starts of a size and structure but its best), passes, converged, degenerate (the
        number of components that have no rows, or rest on `reg_covar`, tied values or rounding),
        reason (why a model failed, or which of its components are degenerate, and in which column).
    models : list of MixtureEstimator or None
        In the order of the table, each fitted; those with status "sample" and no passes to the
        sample. None for those that failed.
    criterion : str
        What `best` goes by if not told.

    Examples
    --------
    >>> import numpy as np
    >>> from daskgmm import sweep
    >>> X = np.concatenate([np.arange(50.0), np.arange(500.0, 550.0)])[:, None]
    >>> found = sweep(X, range(1, 4), random_state=0)
    >>> found.table["n_components"][:3], found.table["bic"][0] > found.table["bic"][3]
    ([1, 1, 1], True)
    """

    table: dict[str, list[Any]]
    models: list[MixtureEstimator | None]
    criterion: str = "bic"

    def __repr__(self) -> str:
        place = place_of_best(self.table, self.criterion)
        best, structure = (self.table[name][place] for name in ("n_components", "covariance_type"))
        return f"Sweep({self._tried()}; best by {self.criterion}: {best} {structure})"

    def _card(self) -> str:
        return sweep_card(self.table, self.criterion, f"Sweep: {self._tried()}")

    def _tried(self) -> str:
        """Return what was tried, in words."""
        sizes, kinds = (
            sorted(set(self.table[name])) for name in ("n_components", "covariance_type")
        )
        between = f"{sizes[0]} to " if sizes[0] < sizes[-1] else ""
        return (
            f"{counted(len(self.models), 'model')} of {between}"
            f"{counted(sizes[-1], 'component')}, {', '.join(kinds)}"
        )

    def best(self, criterion: str | None = None) -> MixtureEstimator:
        """Return the best model that was fitted on all rows; it is not fitted again.

        A model with degenerate components is returned only if all have some.

        Parameters
        ----------
        criterion : {"bic", "aic", "icl", "heldout"}, optional
            By default that of the sweep.

        Returns
        -------
        MixtureEstimator
            Fitted; the one in `models`, not a copy.

        Warns
        -----
        ChoiceWarning
            If the best model is the largest or the smallest that was tried, with what the
            other criteria choose, if models with degenerate components are better by the
            criterion and were set aside, or if all models have some.

        Examples
        --------
        >>> import numpy as np
        >>> from daskgmm import sweep
        >>> X = np.random.default_rng(0).normal([[0.0]] * 500 + [[9.0]] * 500)
        >>> sweep(X, range(1, 4), random_state=0).best().n_components
        2
        """
        chosen = checked(self.criterion if criterion is None else criterion)
        for message in doubts(self.table, chosen):
            warn_user(message, ChoiceWarning)
        return self._best(chosen)

    def _best(self, criterion: str) -> MixtureEstimator:
        found = self.models[place_of_best(self.table, criterion)]
        assert found is not None
        return found

    def plot(self, criterion: str | None = None, ax: Any = None) -> Any:
        """Draw a criterion against the number of components; return the Matplotlib axes.

        Parameters
        ----------
        criterion : {"bic", "aic", "icl", "heldout"}, optional
            By default that of the sweep.
        ax : matplotlib.axes.Axes, optional
            Where to draw; by default in a new figure of pyplot's.

        Returns
        -------
        matplotlib.axes.Axes
            As of `daskgmm.plot.criterion`.

        Raises
        ------
        ImportError
            If Matplotlib is missing: pip install 'daskgmm[plot]'.

        Examples
        --------
        >>> import numpy as np
        >>> from daskgmm import sweep
        >>> X = np.random.default_rng(0).normal([[0.0]] * 500 + [[9.0]] * 500)
        >>> ax = sweep(X, range(1, 4), random_state=0).plot("icl")
        """
        chosen = checked(self.criterion if criterion is None else criterion)
        return criterion_curve(self.table, chosen, ax)
