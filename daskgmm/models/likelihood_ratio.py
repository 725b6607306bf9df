"""Bootstrap likelihood-ratio test of k components against k + 1."""

from __future__ import annotations

import warnings
from copy import copy
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state

from daskgmm.arrays import Array
from daskgmm.companions import ALONE
from daskgmm.counting import counted
from daskgmm.em.survey.uniform_sample import rule_of, uniform_sample
from daskgmm.em.survey.with_sample import check_enough
from daskgmm.errors import DataError, DegenerateComponentWarning, ScaleWarning, SettingError
from daskgmm.markup.carded import Carded, Sheet
from daskgmm.models.fitting.estimator import MixtureEstimator
from daskgmm.models.gaussian_mixture import GaussianMixture
from daskgmm.models.inputs.rows import training_rows
from daskgmm.models.settings.missing import check_whole_rows
from daskgmm.passes.dataset import Dataset
from daskgmm.passes.task import Progress
from daskgmm.passes.transform import Transform
from daskgmm.rows.rows import Rows
from daskgmm.rows.sources import source_of

SAMPLE_ROWS = 10_000
"""Rows that are tested: the law of the ratio without a further component hardly depends on n."""


@dataclass(frozen=True, eq=False, repr=False)
class LikelihoodRatio(Carded):
    r"""The outcome of a bootstrap likelihood-ratio test.

    Attributes
    ----------
    n_components : int
        k, the number of components of the hypothesis; it is tested against k + 1.
    gain : float
        What the further component adds to the mean log-likelihood, in nats per row.
    p_value : float
        :math:`(1 + \#\{b: LR_b \ge LR\}) / (B + 1)`: never below 1 / (B + 1).
    statistic : float
        :math:`LR = 2 m (\bar\ell_{k+1} - \bar\ell_k)` on the m rows.
    simulated : ndarray of shape (B,)
        The statistic of sets of m rows that were drawn from the mixture of k components.
    rows : int
        Number of rows, m.
    of_rows : int
        Number of all rows, of which m were drawn.
    mixture, larger : GaussianMixture
        The mixtures of k and k + 1 components of the m rows.
    """

    n_components: int
    gain: float
    p_value: float
    statistic: float
    simulated: Array
    rows: int
    of_rows: int
    mixture: MixtureEstimator
    larger: MixtureEstimator

    def __repr__(self) -> str:
        ratio = f"likelihood ratio {self.statistic:.4g} on {self._where()}"
        return f"{self._outcome()}\n({ratio}, against {self._simulated()} of as many rows)"

    def _sheet(self) -> Sheet:
        largest = f"{self.simulated.max():.4g}" if len(self.simulated) else "-"
        facts = [
            ("likelihood ratio", f"{self.statistic:.4g} on {self._where()}"),
            ("against", f"{self._simulated()} of as many rows, the largest {largest}"),
        ]
        return Sheet(self._outcome(), facts)

    def _outcome(self) -> str:
        k = self.n_components
        adds = f"the next one adds {self.gain:.3g} nats per row"
        return f"{counted(k, 'component')} or {k + 1}: {adds}, p = {self.p_value:.2g}"

    def _where(self) -> str:
        drawn = f" drawn of {self.of_rows:,}" if self.rows < self.of_rows else ""
        return f"{self.rows:,} rows{drawn}"

    def _simulated(self) -> str:
        return counted(len(self.simulated), "simulated set")


def likelihood_ratio_test(
    X: Any,
    n_components: int,
    n_bootstraps: int = 99,
    random_state: Any = None,
    *,
    estimator: MixtureEstimator | None = None,
    sample_rows: int = SAMPLE_ROWS,
    progress: Progress | None = None,
) -> LikelihoodRatio:
    r"""Test k components against k + 1 by simulation (McLachlan 1987).

    The likelihood ratio of two numbers of components has no chi-square distribution, as weights
    of 0 are at the edge [1]_. So it is compared with those of sets that are drawn from the mixture
    of k components, as many rows each, and fitted with k and k + 1 with the same settings and
    starts as the rows [2]_. One pass reads X; all else, the simulated sets too, is in memory, on a
    sample where there are more rows than `sample_rows`.

    Parameters
    ----------
    X : as in `GaussianMixture.fit`
    n_components : int
        The smaller number, k.
    n_bootstraps : int, default=99
        B, the number of simulated sets. It takes 2 (B + 1) fits of at most `sample_rows` rows.
    random_state : int, RandomState instance or None, default=None
        The seed of the starts and of the simulated sets.
    estimator : MixtureEstimator, optional
        Has all settings but `n_components` and `random_state`; by default GaussianMixture(). More
        starts (`n_init`) give the test more power where optima are many.
    sample_rows : int, default=10,000
        Most rows that are tested. The more there are, the smaller the difference that is beyond
        chance: with all rows of a large data set every test rejects, and `gain` says more.
    progress : callable, optional
        Called with the number of sets done and B.

    Returns
    -------
    LikelihoodRatio
        With `p_value`, `statistic` and `gain`.

    Raises
    ------
    SettingError
        If a setting has no likelihood ratio: of a Bayesian mixture, with a prior, `pca` or
        ``missing="marginalise"``.
    DataError
        If X has too few rows, or a row cannot be used.

    References
    ----------
    .. [1] G. J. McLachlan, "On bootstrapping the likelihood ratio test statistic for the number of
       components in a normal mixture", Applied Statistics 36 (1987) 318-324,
       https://doi.org/10.2307/2347790
    .. [2] W. Seidel, K. Mosler, M. Alker, "A cautionary note on likelihood ratio tests in mixture
       models", Annals of the Institute of Statistical Mathematics 52 (2000) 481-487,
       https://doi.org/10.1023/A:1004117419204

    Examples
    --------
    >>> import numpy as np
    >>> from daskgmm import likelihood_ratio_test
    >>> X = np.random.default_rng(0).normal([[0.0]] * 100 + [[9.0]] * 100)
    >>> likelihood_ratio_test(X, 1, n_bootstraps=9, random_state=0).p_value
    0.1
    """
    for name, value in (
        ("n_components", n_components), ("n_bootstraps", n_bootstraps), ("sample_rows", sample_rows)
    ):  # fmt: skip
        given: Any = value
        if isinstance(given, bool) or not isinstance(given, Integral) or given < 1:
            raise SettingError(f"{name} is {value!r}; give a whole number, 1 or more.")
    own: Any = clone(GaussianMixture() if estimator is None else _checked(estimator))
    own.set_params(n_components=int(n_components))
    own._validate_params()
    rows, _ = training_rows(own, source_of(X))
    random = check_random_state(random_state)
    seeds = random.randint(np.iinfo(np.int32).max, size=1 + int(n_bootstraps)).tolist()
    x, of_rows = _drawn(rows, int(sample_rows), seeds[0], drops=own.missing != "error")
    check_enough(len(x), int(n_components) + 1)
    pair = _fitted(own, x, seeds[0])
    statistic = _statistic(pair, x)
    simulated = np.empty(n_bootstraps)
    for b, seed in enumerate(seeds[1:]):
        rows_of_set, _ = copy(pair[0]).set_params(random_state=seed).sample(len(x))
        with warnings.catch_warnings():
            for kind in (ConvergenceWarning, DegenerateComponentWarning, ScaleWarning):
                warnings.simplefilter("ignore", kind)
            simulated[b] = _statistic(_fitted(own, rows_of_set, seed), rows_of_set)
        if progress is not None:
            progress(b + 1, int(n_bootstraps))
    p_value = (1 + int((simulated >= statistic).sum())) / (n_bootstraps + 1)
    gain = statistic / (2 * len(x))
    k = int(n_components)
    return LikelihoodRatio(k, gain, p_value, statistic, simulated, len(x), of_rows, *pair)


def _checked(estimator: Any) -> MixtureEstimator:
    """Return an estimator whose likelihoods compare; raise `SettingError` for others."""
    because = None
    if isinstance(estimator, type):
        raise SettingError(
            f"estimator is the class {estimator.__name__}; give an instance: "
            f"{estimator.__name__}()."
        )
    if not isinstance(estimator, MixtureEstimator) or not hasattr(estimator, "bic"):
        because = f"a {type(estimator).__name__} is fitted by no likelihood of daskgmm"
    elif estimator.prior is not None:
        because = f"prior={estimator.prior!r} is in what is maximised"
    elif estimator.pca is not None:
        because = "pca leaves out axes, along which no rows can be drawn"
    elif any(
        getattr(estimator, name) is not None
        for name in ("weights_init", "means_init", "precisions_init")
    ):
        because = "starts that are given for k components are none for k + 1"
    if because is not None:
        raise SettingError(
            f"There is no likelihood-ratio test: {because}. Give a GaussianMixture without that."
        )
    found: MixtureEstimator = estimator
    check_whole_rows(found, "likelihood_ratio_test")
    return found


def _fitted(
    estimator: MixtureEstimator, x: Array, seed: int
) -> tuple[MixtureEstimator, MixtureEstimator]:
    """Return fits of k and k + 1 components with the same effort."""
    k = estimator.n_components
    one, other = (
        clone(estimator).set_params(n_components=size, random_state=seed).fit(x)
        for size in (k, k + 1)
    )
    return one, other


def _statistic(pair: tuple[MixtureEstimator, MixtureEstimator], x: Array) -> float:
    """Return the likelihood ratio; 0 where the larger fit found a worse optimum."""
    one, other = (mixture.score(x) for mixture in pair)
    return max(0.0, 2 * len(x) * (other - one))


def _drawn(rows: Rows, capacity: int, seed: int, *, drops: bool) -> tuple[Array, int]:
    """Return a sample of rows (m, d) by their numbers, and the number of all."""
    data = Dataset.of(rows, ALONE, 1, rows.n_features, Transform(drop_missing=drops))
    found, total = uniform_sample(data, rule_of(data, seed, capacity), rows.columns)
    if found is None:
        raise DataError("X has no rows. Give at least one more than components.")
    return np.asarray(found.x, np.float64), total
