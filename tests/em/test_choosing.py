"""Sizes of a sweep whose leader ends on a floor, or fails, do not leave the sweep without them."""

from dataclasses import replace

import numpy as np
import pytest

import daskgmm.em.models.model
from daskgmm import sweep
from daskgmm.companions import ALONE
from daskgmm.em.events import Iterated, PassEnded, silence
from daskgmm.em.iterations.progress import Fit
from daskgmm.em.selection import choosing
from daskgmm.em.selection.riding import with_riding
from daskgmm.em.selection.runners_up import with_runners_up
from daskgmm.em.selection.state import Failure, Model, SweepState
from daskgmm.em.settings import Settings
from daskgmm.em.survey.first_pass import survey_rows
from daskgmm.em.survey.survey import TrainingSet
from daskgmm.gaussian.m_step import IllDefinedError, Maximised
from daskgmm.gaussian.parameters import Parameters
from daskgmm.passes.batches import seconds_per_row
from daskgmm.passes.dataset import Dataset
from daskgmm.rows.opening import as_rows

RANDOM = np.random.default_rng(0)

X = np.r_[RANDOM.normal(size=(300, 2)), RANDOM.normal(size=(300, 2)) + 6]

SURVEY = survey_rows(Dataset.of(as_rows(X), ALONE, 1, 1), None, silence)


def model(variance, going, k=2, seed=0, reserve=True):
    """Return a model whose last component has that variance."""
    variances = np.ones((k, 2))
    variances[-1] = variance
    weights, means = np.full(k, 1 / k), np.zeros((k, 2))
    parameters = Parameters("diag", weights, means, variances, 1 / np.sqrt(variances))
    settings = Settings(
        n_components=k, structure="diag", tol=1e-3, reg_covar=1e-6, max_iter=100, n_init=1,
        init_params="kmeans",
    )  # fmt: skip
    return Model(settings, seed, Fit(Maximised(parameters)), going, reserve=reserve)


def after(*models):
    state = with_runners_up(SweepState(SURVEY, None, models), SURVEY)
    return [(each.settings.n_components, each.seed, each.on_all_rows) for each in state.models]


def test_the_sound_start_goes_on_where_the_likelier_one_rests_on_the_floor():
    narrow, other = model(1e-6, True), model(1.0, False, seed=1)
    assert after(narrow, other) == [(2, 1, True), (2, 0, True)]
    third = model(1.0, False, k=3, seed=2)
    assert after(narrow, model(1e-6, False, seed=3), other, third) == [
        (2, 1, True), (2, 0, True), (2, 3, False), (3, 2, False),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "models",
    [
        (model(1.0, True), model(1.0, False, seed=1)),  # sound already
        (model(1e-6, True), model(1e-6, False, seed=1)),  # nothing better
        (model(1e-6, False), model(1.0, False, seed=1)),  # clearly beaten on the sample
        (model(1e-6, True), model(1.0, False, seed=1, reserve=False)),  # no better than others
    ],
)
def test_otherwise_nothing_goes_on(models):
    assert after(*models) == [(m.settings.n_components, m.seed, m.on_all_rows) for m in models]


def fails_on_all_rows(monkeypatch, *sizes):
    """Let M-steps of these sizes fail in the passes that all models share."""
    maximise = daskgmm.em.models.model.maximise

    def failing(statistics, *arguments, **settings):
        if len(statistics.counts) in sizes:
            raise IllDefinedError("a covariance is singular")
        return maximise(statistics, *arguments, **settings)

    def stepped(*arguments):
        with monkeypatch.context() as patch:
            patch.setattr("daskgmm.em.models.model.maximise", failing)
            return before(*arguments)

    before = choosing.stepped
    monkeypatch.setattr(choosing, "stepped", stepped)


def test_a_model_that_fails_on_all_rows_is_a_row_that_says_why(monkeypatch):
    fails_on_all_rows(monkeypatch, 3)
    monkeypatch.setattr("daskgmm.em.selection.comparing.SURE", 1e9)  # all go on
    found = sweep(X, (1, 2, 3), random_state=0, n_init=1)
    status = dict(zip(found.table["n_components"], found.table["status"], strict=True))
    assert status == {1: "fitted", 2: "fitted", 3: "failed"}
    assert found.table["reason"][-1] == "a covariance is singular"
    assert found.models[-1] is None
    assert found.best().n_components == 2


def test_if_all_models_fail_on_all_rows_that_is_the_error(monkeypatch):
    fails_on_all_rows(monkeypatch, 1, 2)
    with pytest.raises(ValueError, match=r"No model of the sweep can be fitted\. .*singular"):
        sweep(X, (1, 2), random_state=0)


def test_a_failure_keeps_the_others(monkeypatch):
    fails_on_all_rows(monkeypatch, 3)
    data = Dataset.of(as_rows(X), ALONE, 5, 5)
    models = model(1.0, True), model(1.0, True, k=3, seed=7)
    rows = TrainingSet(data, SURVEY, silence)
    state, _ = choosing.stepped(rows, SweepState(SURVEY, None, models), SURVEY.weight)
    assert [each.settings.n_components for each in state.models] == [2]
    assert state.failures == (Failure(models[1].settings, 7, "a covariance is singular", True),)


def test_others_of_its_kind_go_on_where_the_leader_fails():
    failed = Failure(model(1.0, True).settings, 0, "a covariance is singular", True)
    others = model(1.0, False, seed=1), model(1.0, False, seed=2), model(1.0, True, k=3)
    state = with_runners_up(SweepState(SURVEY, None, others, (failed,)), SURVEY)
    assert [each.on_all_rows for each in state.models] == [True, False, True]
    # One that could not be fitted to the sample has no others.
    failed = Failure(failed.settings, 0, "a covariance is singular")
    state = with_runners_up(SweepState(SURVEY, None, others, (failed,)), SURVEY)
    assert state.models == others


def test_beaten_models_ride_where_that_is_cheap_and_the_sample_a_part(monkeypatch):
    first, second = model(1.0, False), model(1.0, False, seed=1)
    models = first, second, model(1.0, True, k=3), model(1.0, False, k=3)

    def riding(sample_rows=100):
        return [each.rides for each in with_riding(models, SURVEY, sample_rows)]

    assert riding() == [True, False, False, False]
    assert riding(len(X)) == [False] * 4
    seconds = 10 * len(X) * seconds_per_row(2, 5)  # diagonal, two features
    monkeypatch.setattr("daskgmm.em.selection.riding.RIDING_SECONDS", 0.99 * seconds)
    assert riding() == [False] * 4
    monkeypatch.setattr("daskgmm.em.selection.riding.RIDING_SECONDS", 1.01 * seconds)
    assert riding() == [True, False, False, False]
    # Tails keep two numbers more of each density.
    models = (replace(first, settings=replace(first.settings, outliers="t")),)
    assert riding() == [False]


def on_sample(model):
    """Return a model that converged on the sample, and is to ride."""
    fit = replace(model.fit, iterations=(iterated(-2.0),) * 9, converged=True)
    return replace(model, fit=fit, rides=True)


def test_no_pass_is_made_for_what_rides(monkeypatch):
    fails_on_all_rows(monkeypatch, 3)
    data = Dataset.of(as_rows(X), ALONE, 5, 5)
    riding = replace(model(1.0, False), rides=True)
    narrow = on_sample(model(0.5, False, k=3))
    begun = SweepState(SURVEY, None, (model(1.0, True, seed=7), riding, narrow))
    assert not begun.ended
    assert SweepState(SURVEY, None, (riding,)).ended
    events = []
    state, told = choosing.stepped(TrainingSet(data, SURVEY, events.append), begun, SURVEY.weight)
    assert sum(isinstance(each, PassEnded) for each in events) == 1
    went, rode, failed = state.models
    assert (told.models, told.left, state.failures) == (3, 1, ())
    assert [each.passes for each in state.models] == [1, 1, 0]
    assert rode.fit.lower_bound == went.fit.lower_bound
    # Where its M-step fails it is left as it was.
    assert (failed.rides, failed.fit) == (False, narrow.fit)


def test_what_rode_before_its_m_step_fails_has_its_passes(monkeypatch):
    data = Dataset.of(as_rows(X), ALONE, 5, 5)
    rows = TrainingSet(data, SURVEY, silence)
    models = model(1.0, True), on_sample(model(0.5, False, k=3))
    state, _ = choosing.stepped(rows, SweepState(SURVEY, None, models), SURVEY.weight)
    rode = state.models[1]
    assert (rode.passes, len(rode.fit.iterations), rode.fit.converged) == (1, 1, False)
    fails_on_all_rows(monkeypatch, 3)
    state, _ = choosing.stepped(rows, state, SURVEY.weight)
    assert state.models[1] == replace(rode, rides=False)
    assert state.models[1].passes == 1


@pytest.mark.filterwarnings("ignore::daskgmm.errors.ChoiceWarning")
def test_where_all_that_went_on_fail_the_beaten_ones_are_the_best(monkeypatch):
    fails_on_all_rows(monkeypatch, 2)
    monkeypatch.setattr("daskgmm.em.selection.comparing.SURE", -1e9)  # only the best goes on
    found = sweep(X, (1, 2, 3), random_state=0, criterion="bic")
    status = set(zip(found.table["n_components"], found.table["status"], strict=True))
    assert (2, "failed") in status
    assert (2, "fitted") not in status
    assert found.best().n_components in (1, 3)


def test_the_first_of_the_race_goes_on_whatever_part_it_was_measured_on():
    """A bound of a smaller part of the sample is higher, as it was fitted to fewer rows."""
    narrow, first, second = model(1e-6, True), model(1.0, False, seed=1), model(1.0, False, seed=2)
    bounds = [iterated(-2.0)], [iterated(-1.0)]
    first, second = (
        replace(each, fit=replace(each.fit, iterations=tuple(bound)))
        for each, bound in zip((first, second), bounds, strict=True)
    )
    assert after(narrow, first, second)[0] == (2, 1, True)


def iterated(bound):
    return Iterated(
        iteration=1, lower_bound=bound, change=0.0, gap=0.0, rows=600, seconds=0.0, nbytes=0,
        peak_memory=0,
    )  # fmt: skip
