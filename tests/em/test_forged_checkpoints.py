"""A state that no fit can have kept is refused by the name of its file, whoever signed it."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from daskgmm import BayesianGaussianMixture, GaussianMixture, sweep
from daskgmm.em.checkpoints.checkpoint import RECORDS
from daskgmm.em.checkpoints.packing import pack, unpack
from daskgmm.em.events import Iterated, SweepIterated
from daskgmm.errors import CheckpointError
from daskgmm.gaussian.coordinates import Coordinates
from tests.lies.documents import Killed, X, signed

SETTINGS = {"n_components": 2, "random_state": 0, "tol": 1e-9, "max_iter": 60}


class Stopping:
    """Ends a run after its second iteration."""

    def __init__(self):
        self._left = 2

    def __call__(self, event):
        self._left -= isinstance(event, Iterated | SweepIterated)
        if not self._left:
            raise Killed


def fit(path, listen=None, kind=GaussianMixture):
    return kind(**SETTINGS).fit(X, checkpoint=path, listen=listen)


def kept(path, run=fit):
    """Return the document of a run that was killed, and the state in it."""
    with pytest.raises(Killed):
        run(path, Stopping())
    document = json.loads(path.read_text())
    return document, unpack(document["state"], RECORDS)


def forge(path, document, state):
    path.write_text(json.dumps(signed({**document, "state": pack(state)})))


@pytest.fixture(scope="module")
def document(tmp_path_factory):
    return kept(tmp_path_factory.mktemp("kept") / "c.json")


def array_of(name, change):
    return lambda p: replace(p, **{name: change(getattr(p, name))})


PARAMETERS = {
    "a weight below 0": (
        array_of("weights", lambda w: w - np.array([1.0, -1.0])),
        "'weights' are not all",
    ),
    "weights of a sum of 2": (array_of("weights", lambda w: 2 * w), "'weights' are not all"),
    "weights of NaN": (array_of("weights", lambda w: w * np.nan), "'weights' is not finite"),
    "a weight more": (array_of("weights", lambda w: np.full(3, 1 / 3)), r"shape \(3,\), not \(2,"),
    "weights of texts": (array_of("weights", lambda w: np.array(["a", "b"])), "'weights' is <U1"),
    "infinite means": (array_of("means", lambda m: m + np.inf), "'means' is not finite"),
    "means of 4 columns": (array_of("means", lambda m: np.zeros((2, 4))), "'means' is float64 of"),
    "means of 4": (array_of("means", lambda m: np.zeros((4, 3))), "'means' is float64 of"),
    "negative covariances": (array_of("covariances", lambda s: -s), "has a variance below 0"),
    "indefinite ones": (
        array_of("covariances", lambda s: s + 50 * (1 - np.eye(3))),
        "of component 0 is not of the inverse",
    ),
    "covariances of a column less": (array_of("covariances", lambda s: s[:, 1:]), "'covariances'"),
    "no factors": (array_of("precisions_cholesky", lambda u: 0 * u), "diagonal that is not posit"),
    "factors of another": (array_of("precisions_cholesky", lambda u: 3 * u), "not of the inverse"),
    "factors on end": (
        array_of("precisions_cholesky", lambda u: u.transpose(0, 2, 1).copy()),
        "not of the inverse",
    ),
    "another structure": (lambda p: replace(p, structure="tied"), "it has 'tied' covariances"),
    "no structure": (lambda p: replace(p, structure="cube"), "it has 'cube' covariances"),
    "a volume alone": (lambda p: replace(p, log_volume=1.0), "makes room for outliers is missing"),
    "tails below 0": (lambda p: replace(p, degrees=np.full(2, -1.0)), "not positive"),
    "a posterior's": (lambda p: replace(p, log_weights=np.zeros(2)), "weights of a posterior"),
}


@pytest.mark.parametrize("where", ["step", "proposal", "image"])
@pytest.mark.parametrize("what", PARAMETERS)
def test_parameters_of_no_mixture(what, where, document, tmp_path):
    change, words = PARAMETERS[what]
    whole, state = document
    current, path = state.current, tmp_path / "c.json"
    if where == "step":
        step = replace(current.step, parameters=change(current.step.parameters))
        current = replace(current, step=step)
    else:
        search = replace(current.search, **{where: change(getattr(current.search, where))})
        current = replace(current, search=search)
    forge(path, whole, replace(state, current=current))
    with pytest.raises(CheckpointError, match=rf"(?s)c\.json is damaged \(.*{words}"):
        fit(path)


def current(**changes):
    return lambda state: replace(state, current=replace(state.current, **changes))


def search(**changes):
    return lambda state: current(search=replace(state.current.search, **changes))(state)


def survey(**changes):
    return lambda state: replace(
        state,
        survey=replace(
            state.survey, **{name: f(getattr(state.survey, name)) for name, f in changes.items()}
        ),
    )


def last(**changes):
    def forged(state):
        *before, iterated = state.current.iterations
        return current(iterations=(*before, replace(iterated, **changes)))(state)

    return forged


STATES = {
    "converged at once": (current(converged=True, iterations=()), "converged without"),
    "iterations of others": (last(iteration=7), "iterations are not numbered"),
    "a bound of NaN": (last(lower_bound=math.nan), "a lower bound is not a number"),
    "an infinite bound": (last(lower_bound=math.inf), "a lower bound is not a number"),
    "no such search": (search(kind="walk"), "its search is 'walk'"),
    "steps of NaN": (search(radius=math.nan), "'radius' is nan"),
    "steps back": (search(longest=-1.0), "'longest' is -1.0"),
    "points without an image": (search(image=None), "points or an image alone"),
    "a start before the first": (lambda s: replace(s, initialisation=-1), "initialisation is -1"),
    "a start too many": (lambda s: replace(s, initialisation=1), "its initialisation is 1"),
    "no generator": (lambda s: replace(s, random_state=("MT19937", 1)), "damaged"),
    "no seed": (lambda s: replace(s, sample_seed=-5), "damaged"),
    "coordinates": (
        lambda s: replace(s, coordinates=Coordinates(np.zeros(3), np.ones(3))),
        "it has coordinates",
    ),
    "other rows": (survey(rows=lambda n: 10 * n), "of 600 rows, not 60"),
    "two weights": (survey(weight=lambda w: 10 * w), "its rows have two weights"),
    "no weight": (survey(weight=lambda w: 0.0), "its rows have no weight"),
    "another column": (survey(scatter=lambda s: np.zeros((4, 4))), "'scatter' is float64"),
    "means of NaN": (survey(shift=lambda m: m * np.nan), "'shift' is not finite"),
    "a mean elsewhere": (survey(shift=lambda m: m + 100), "out of their range"),
    "ranges that are none": (survey(minimum=lambda m: m + 100), "above its maximum"),
    "variances below 0": (survey(scatter=lambda s: -s), "below 0"),
    "variances above all": (survey(scatter=lambda s: 100 * s), "more than their range allows"),
}


@pytest.mark.parametrize("what", STATES)
def test_a_state_of_no_fit(what, document, tmp_path):
    change, words = STATES[what]
    whole, state = document
    forge(tmp_path / "c.json", whole, change(state))
    with pytest.raises(CheckpointError, match=rf"(?s)c\.json is damaged.*{words}"):
        fit(tmp_path / "c.json")


def test_what_is_kept_is_what_goes_on(document, tmp_path):
    """The state itself, signed anew, is no forgery."""
    forge(tmp_path / "c.json", *document)
    found, whole = fit(tmp_path / "c.json"), fit(tmp_path / "new.json")
    assert found.means_.tobytes() == whole.means_.tobytes()
    assert found.n_iter_ == whole.n_iter_


def test_counts_of_no_posterior(tmp_path):
    def run(path, listen=None):
        return fit(path, listen, BayesianGaussianMixture)

    whole, state = kept(tmp_path / "c.json", run)
    step = state.current.step
    parameters = replace(step.parameters, counts=-step.parameters.counts)
    forge(tmp_path / "c.json", whole, current(step=replace(step, parameters=parameters))(state))
    with pytest.raises(CheckpointError, match=r"c\.json is damaged .'counts' are below 0"):
        run(tmp_path / "c.json")


def test_a_sweep_of_other_models(tmp_path):
    def run(path, listen=None):
        return sweep(X, [1, 2], n_init=1, random_state=0, checkpoint=path, listen=listen)

    whole, state = kept(tmp_path / "c.json", run)
    first, *rest = state.models
    other = replace(first, settings=replace(first.settings, n_components=7))
    for models, words in (
        ((other, *rest), "a model of other settings"),
        ((replace(first, fit=rest[0].fit), *rest), "shape"),
    ):
        forge(tmp_path / "c.json", whole, replace(state, models=models))
        with pytest.raises(CheckpointError, match=rf"c\.json is damaged .*{words}"):
            run(tmp_path / "c.json")
