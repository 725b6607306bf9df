"""Criteria of a fit: the few numbers of its quality that a model card has."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from daskgmm.counting import counted
from daskgmm.em.objective import objective_name
from daskgmm.em.survey.weighing import COUNTS, Weighing

BY_NO_PASS = "not at all: no pass was made"

IN_THE_LAST_PASS = "in the last pass of the fit, before its last step"
AT_THE_PARAMETERS = "at these parameters, on all rows"
WITH_LABELS = ", with the labels of rows"

ALIKE = 0.01
"""Part of n by which the two meanings of weights must differ to be worth a word."""


@dataclass(frozen=True, slots=True)
class Criteria:
    """Criteria of a mixture of p free parameters for n rows; lower is better.

    Attributes
    ----------
    log_likelihood : float
        Mean, in nats per row.
    n_parameters : int
    n : float
        Rows that count, as `Weighing.counted`; nan if unknown.
    entropy : float
        Mean entropy of the responsibilities, in nats per row; nan if unknown.
    """

    log_likelihood: float
    n_parameters: int
    n: float
    entropy: float = math.nan

    @property
    def aic(self) -> float:
        """Akaike's information criterion, 2 p - 2 n times the mean log-likelihood."""
        return 2 * self.n_parameters - 2 * self.n * self.log_likelihood

    @property
    def bic(self) -> float:
        """The Bayesian information criterion, p log n - 2 n times the mean log-likelihood."""
        return self.n_parameters * math.log(self.n) - 2 * self.n * self.log_likelihood

    @property
    def icl(self) -> float:
        """The integrated completed likelihood, BIC + 2 n times the mean entropy."""
        return self.bic + 2 * self.n * self.entropy

    def as_dict(self) -> dict[str, float | int]:
        """Return the numbers by name: what was measured, what it was for, and the criteria."""
        return {
            "log_likelihood": self.log_likelihood,
            "n": self.n,
            "n_parameters": self.n_parameters,
            "aic": self.aic,
            "bic": self.bic,
            "icl": self.icl,
        }


def criteria_of_fit(
    log_likelihood: float, n_parameters: int, n: float
) -> dict[str, float | int | str]:
    """Return the criteria that the last pass of a fit measured; nan where n is, or without one."""
    measured = math.isfinite(log_likelihood)
    log_likelihood = log_likelihood if measured else math.nan
    found = Criteria(log_likelihood, n_parameters, n)
    return {
        "log_likelihood": log_likelihood,
        "n_parameters": n_parameters,
        "n": n,
        "aic": found.aic,
        "bic": found.bic,
        "measured": IN_THE_LAST_PASS if measured else BY_NO_PASS,
    }


def criteria_of_sweep(
    table: dict[str, list[Any]], index: int, *, labelled: bool = False
) -> dict[str, float | int | str]:
    """Return the criteria of one model of a sweep, with labels or without: a row of its table."""
    names = ("log_likelihood", "n_parameters", "n", "aic", "bic", "icl", "heldout", "heldout_se")
    measured = AT_THE_PARAMETERS + WITH_LABELS * labelled
    return {**{name: table[name][index] for name in names}, "measured": measured}


def rows_that_count(facts: Mapping[str, Any]) -> float:
    """Return n of a fit from what `fitted_on_` says; nan where that does not tell.

    Models of earlier versions lack `effective_rows`: without weights these are the rows.
    """
    rows, weight = facts.get("rows"), facts.get("weight")
    if facts.get("weights_are") == COUNTS and weight:
        return float(weight)
    effective = facts.get("effective_rows")
    if effective is None and (weight is None or weight == rows):
        effective = rows
    return float(effective) if effective else math.nan


def n_in_words(n: float, facts: Mapping[str, Any]) -> str:
    """Return n, and what it is: rows, effective rows of relative weights, or a sum of counts."""
    if facts.get("weights_are") == COUNTS:
        return f"n = {n:,.10g}, the sum of the weights"
    whole = math.isclose(n, round(n), rel_tol=1e-10)  # as sums of squares are rounded
    return f"n = {counted(round(n), 'row')}" if whole else f"n = {n:,.1f} effective rows"


CRITERIA_COUNT = "AIC, BIC and ICL count"
PRIOR_COUNTS = "the prior is weighed against"
BOTH_COUNT = f"{CRITERIA_COUNT}, and {PRIOR_COUNTS},"
RELEVANCE_COUNTS = "the relevance is weighed against"
ERRORS_COUNT = "standard errors are those of"
"""What depends on the number of rows, as a subject and verb of n."""


def doubt(
    weighing: Weighing | None, weights_are: str | None, counting: str = CRITERIA_COUNT
) -> str | None:
    """Return what to warn of where weights may mean something else than they are taken for."""
    if weighing is None or not weighing.rows:
        return None
    effective, total = weighing.effective_rows, weighing.total
    if weights_are is None and weighing.whole and abs(total - effective) > ALIKE * effective:
        return (
            "sample_weight holds whole numbers, as counts are, and was taken as relative: "
            f"{counting} n = {effective:,.1f} effective rows. If each row stands for so many "
            f"observed rows, say weights_are='counts' (--weights-are counts): n is the sum of the "
            f"weights then, {total:,.10g}. weights_are='relative' (--weights-are relative) says "
            "that they are not counts."
        )
    if weights_are == COUNTS and not weighing.whole:
        return (
            "weights_are (--weights-are) is 'counts', and sample_weight holds numbers that are not "
            f"whole: {counting} n = {total:,.10g}, their sum, and {weighing.rows:,} "
            "rows have a weight. Of shares, areas or probabilities say weights_are='relative' "
            f"(--weights-are relative): n is {effective:,.1f} then, whatever their scale."
        )
    return None


def likelihoods_of(mixture: Any) -> list[tuple[str, float]]:
    """Return the names and values, in nats per row, of what a fitted mixture reached.

    That is the log likelihood of `criteria_`, without noise and prior, where it is known. With a
    prior, or where it is not known, `lower_bound_` follows by the name of the objective.
    """
    # Without the warning about the meaning of weights, which `fit` has given.
    mean = float(mixture._known_criteria().get("log_likelihood", math.nan))
    bound = float(getattr(mixture, "lower_bound_", math.nan))
    ended = mixture._ended_with
    prior, noise = (None, 0.0) if ended is None else (ended.prior, ended.noise)
    found = [("log likelihood", mean)] if math.isfinite(mean) else []
    if not found or prior is not None:
        found.append((objective_name(prior, noise), bound))
    return found
