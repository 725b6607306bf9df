"""The survey with the sample that starts need, and what rows must be for a fit."""

from __future__ import annotations

from dataclasses import replace

from daskgmm.counting import counted
from daskgmm.em.events import Listener
from daskgmm.em.survey.first_pass import survey_rows
from daskgmm.em.survey.gaps import gaps_in_words, missing_by_column
from daskgmm.em.survey.sample import SampleRule
from daskgmm.em.survey.survey import Survey
from daskgmm.errors import DataError
from daskgmm.passes.dataset import Dataset


def survey_with_sample(
    data: Dataset, rule: SampleRule | None, n_components: int, listen: Listener, *, draws: bool
) -> Survey:
    """Survey all rows, with the sample of a rule if there is one.

    If a sample is drawn in a pass of its own where there are more rows than the rule takes, it
    `draws`: of more there is then none. Of fewer the sample is all rows.
    """

    def needed(n: int | None) -> SampleRule | None:
        return None if rule is None or (draws and n is not None and n > rule.capacity) else rule

    survey = survey_rows(data, needed(data.rows.n_rows), listen)
    check_survey(survey, n_components, data)
    wanted, taken = needed(survey.weighed_rows), survey.sample
    if wanted is not None:
        n = min(wanted.capacity, survey.weighed_rows)
        if taken is None or len(taken.hashes) < n:
            # Many rows have weight 0, so that it came out small: now their number is known.
            survey = survey_rows(data, replace(wanted, n_rows=survey.weighed_rows), listen)
    return survey


def check_survey(survey: Survey, n_components: int, data: Dataset) -> None:
    """Raise `DataError` if there are too few rows for a mixture of k components.

    The columns with missing values are counted in a pass of its own before that is said of them.
    """
    if survey.rows < 2:
        left_out = ""
        if survey.missing:
            columns = gaps_in_words(missing_by_column(data), data.rows.columns)
            rows = counted(survey.missing, "row")
            left_out = f" A value is missing in {rows}{f' ({columns})' if columns else ''}."
        raise DataError(
            f"Found {survey.rows} sample(s) while a minimum of 2 is required by "
            f"GaussianMixture.{left_out}"
        )
    if survey.rows and not survey.weight > 0:
        raise DataError(
            "All entries of sample_weight are zero, so no row counts. Give some a positive weight."
        )
    check_enough(survey.weighed_rows, n_components)


def check_enough(rows: int | None, n_components: int) -> None:
    """Raise `DataError` if there are fewer rows, as far as known, than components."""
    if rows is not None and rows < n_components:
        raise DataError(
            "Expected n_samples >= n_components but got "
            f"n_components = {n_components}, n_samples = {rows}"
        )
