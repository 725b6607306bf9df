"""Starts that go on, on all rows, where those that went end without evidence."""

from __future__ import annotations

from dataclasses import replace

from daskgmm.em.iterations.progress import Fit
from daskgmm.em.selection.state import Model, SweepState
from daskgmm.em.survey.survey import Survey


def begun_anew(model: Model) -> Model:
    """Return a model of the sample that goes on, on all rows."""
    return replace(model, fit=Fit(model.fit.step), on_all_rows=True, rides=False, rode=False)


def with_runners_up(state: SweepState, survey: Survey) -> SweepState:
    """Return the state in which other starts go on where all that went failed or are degenerate.

    Of such a size and structure that is the best start without components on the floor, if one
    is left that may be the best of all: its model may be evidence, where the likelier one is none.
    """

    def is_sound(model: Model) -> bool:
        return not model.n_degenerate(survey)

    models = list(state.models)
    failed = {failure.settings for failure in state.failures if failure.on_all_rows}
    for settings in dict.fromkeys(model.settings for model in models):
        alike = [index for index, model in enumerate(models) if model.settings == settings]
        went = [index for index in alike if models[index].on_all_rows]
        if not (went or settings in failed) or any(is_sound(models[index]) for index in went):
            continue
        for index in alike:  # in the order of the race: likelihoods are of different parts of it
            other = models[index]
            may_go = not other.on_all_rows and (other.reserve or settings in failed)
            if may_go and is_sound(other):
                models.insert(alike[0], begun_anew(models.pop(index)))
                break
    return replace(state, models=tuple(models))
