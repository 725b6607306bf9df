"""A sweep: what its table says is so, and it reads the rows as often as one fit."""

import itertools
import json
import math
import shutil
import warnings
from pathlib import Path

import dask.array as da
import numpy as np
import pandas as pd
import pytest
import xarray as xr
import zarr
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture as Reference

from daskgmm import GaussianMixture, Sweep, open_parquet, sweep
from daskgmm.em.checkpoints.checkpoint import digest_of
from daskgmm.em.events import PassEnded, SweepIterated
from daskgmm.errors import CheckpointError, DataError
from tests.oracle.data import STRUCTURES, blobs
from tests.promises.stores import NotingStore

# Few sizes are enough here: the best is often at an edge.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::daskgmm.errors.ChoiceWarning"),
]

N, D, K = 1500, 3, 3
X = blobs(N, D, K, seed=1, separation=2.0)
SETTINGS = {"n_components": range(1, 5), "n_init": 2, "random_state": 0}
COLUMNS = [
    "n_components", "covariance_type", "start", "seed", "status", "log_likelihood", "n_parameters",
    "n", "aic", "bic", "icl", "heldout", "heldout_se", "passes", "converged", "degenerate",
    "reason",
]  # fmt: skip


EVENTS = []
"""What the sweep of the file has told."""


@pytest.fixture(scope="module")
def found():
    return sweep(X, covariance_type=STRUCTURES, listen=EVENTS.append, **SETTINGS)


def bits(found):
    """Return all that a sweep has found, exactly."""
    arrays = [
        getattr(model, name).tobytes()
        for model in found.models
        for name in ("weights_", "means_", "covariances_", "precisions_cholesky_")
    ]
    return arrays, {name: [repr(x) for x in column] for name, column in found.table.items()}


def assert_same_table(one, other, rtol=1e-9):
    assert list(one) == list(other)
    for name, column in one.items():
        if isinstance(column[0], float):
            assert_allclose(column, other[name], rtol=rtol, err_msg=name)
        else:
            assert column == other[name], name


def as_reference(model):
    """Return scikit-learn's mixture with the same parameters."""
    reference = Reference(model.n_components, covariance_type=model.covariance_type)
    for name in ("weights_", "means_", "precisions_cholesky_", "covariances_"):
        setattr(reference, name, getattr(model, name))
    return reference


def passes_of(events):
    return [event.name for event in events if isinstance(event, PassEnded)]


def row(found, k, kind="full"):
    """Return the place of the best start of that size and structure: the first."""
    kinds = zip(found.table["n_components"], found.table["covariance_type"], strict=True)
    return list(kinds).index((k, kind))


def test_the_table_names_the_models(found):
    assert isinstance(found, Sweep)
    assert list(found.table) == COLUMNS
    assert {len(column) for column in found.table.values()} == {len(found.models)}
    assert len(found.models) >= 2 * 4 * len(STRUCTURES)
    for index, model in enumerate(found.models):
        assert model.n_components == found.table["n_components"][index] == len(model.weights_)
        assert model.covariance_type == found.table["covariance_type"][index]
        assert model.random_state == SETTINGS["random_state"]
        assert model.converged_ == found.table["converged"][index]
        assert model.n_features_in_ == D
    assert {type(x) for x in found.table["bic"]} == {float}


def test_scores_are_those_of_scikit_learn(found):
    for index, model in enumerate(found.models):
        reference = as_reference(model)
        expected = [reference.score(X), reference.aic(X), reference.bic(X), model.icl(X)]
        names = ("log_likelihood", "aic", "bic", "icl")
        assert_allclose([found.table[name][index] for name in names], expected, rtol=1e-6)
        assert found.table["n_parameters"][index] == reference._n_parameters()


def test_statuses(found):
    """One start of each kind goes on, or none; only it has a held-out likelihood and passes."""
    table = found.table
    kinds = list(zip(table["covariance_type"], table["n_components"], strict=True))
    for index, kind in enumerate(kinds):
        first = kinds.index(kind) == index
        assert table["status"][index] in (("fitted", "sample") if first else ("sample",))
        assert math.isnan(table["heldout"][index]) == (not first)
        assert math.isnan(table["heldout_se"][index]) == (not first)
        assert (table["passes"][index] > 0) == (table["status"][index] == "fitted")
    assert table["status"][row(found, 1)] == "sample"
    assert table["status"][row(found, K)] == "fitted"


def test_the_best(found):
    fitted = [i for i, status in enumerate(found.table["status"]) if status == "fitted"]
    for criterion in ("bic", "aic", "icl", "heldout"):
        sign = -1 if criterion == "heldout" else 1
        place = min(fitted, key=lambda i: sign * found.table[criterion][i])
        assert found.best(criterion) is found.models[place]
    assert found.best() is found.best("bic")
    assert (found.best().n_components, found.best().covariance_type) == (K, "full")
    assert Sweep(found.table, found.models, "heldout").best() is found.best("heldout")
    with pytest.raises(ValueError, match="criterion is 'luck'"):
        found.best("luck")


def test_the_best_predicts_and_converged_as_a_fit_does(found):
    alone = GaussianMixture(K, n_init=2, random_state=0).fit(X)
    assert found.best().score(X) == pytest.approx(alone.score(X), abs=1e-5)
    assert set(found.best().predict(X)) == set(range(K))


def test_plot(found):
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    axes = found.plot("heldout")
    assert "held-out" in axes.get_ylabel()
    assert found.plot(ax=axes) is axes
    assert "BIC" in axes.get_ylabel()
    pyplot.close("all")
    with pytest.raises(ValueError, match="criterion"):
        found.plot("seed")


@pytest.mark.parametrize("sample_rows", [None, 500])
def test_reads_as_often_as_one_fit(tmp_path, sample_rows):
    array = zarr.create_array(tmp_path / "rows.zarr", data=X, chunks=(300, D))
    array = zarr.open_array(NotingStore(tmp_path / "rows.zarr"), mode="r")
    events, alone = [], []
    found = sweep(
        array, (2, 3), ("full", "diag"), random_state=0, sample_rows=sample_rows,
        listen=events.append,
    )  # fmt: skip
    passes = passes_of(events)
    drawn = [] if sample_rows is None else ["sample"]
    iterations = max(found.table["passes"])
    assert passes == ["survey", *drawn, *["expectation"] * iterations, "measure"]
    best = GaussianMixture(3, random_state=0, sample_rows=sample_rows)
    best.fit(X, listen=alone.append)
    assert len(passes) <= len(passes_of(alone)) + 5
    reads = [len(list((tmp_path / "rows.zarr.reads").glob(f"c.{i}.0@*"))) for i in range(5)]
    assert reads == [len(passes)] * 5


def test_events(found):
    iterated = [event for event in EVENTS if isinstance(event, SweepIterated)]
    assert [event.iteration for event in iterated] == [*range(1, len(iterated) + 1)]
    assert len(iterated) == max(found.table["passes"])
    assert [event.models for event in iterated[1:]] == [event.left for event in iterated[:-1]]
    assert iterated[-1].left == 0
    assert iterated[0].models == found.table["status"].count("fitted")
    best = found.best()
    assert (iterated[-1].components, iterated[-1].covariance_type) == (
        best.n_components,
        best.covariance_type,
    )
    # Of the last pass, so before the last M-step, and with the noise of reg_covar.
    assert iterated[-1].bic == pytest.approx(min(found.table["bic"]), rel=1e-3)
    assert all(after.bic <= before.bic for before, after in itertools.pairwise(iterated))


@pytest.mark.parametrize("sample_rows", [None, 500])
def test_chunks_do_not_matter(sample_rows):
    settings = {**SETTINGS, "covariance_type": ("full", "tied"), "sample_rows": sample_rows}
    settings |= {"n_components": (2, 3), "n_init": 1}
    expected = sweep(X, **settings)
    other = sweep(da.from_array(X, chunks=((77, 1, 422, 500, 500), (2, 1))), **settings)
    assert_same_table(other.table, expected.table, 1e-8)


def test_clearly_beaten_sizes_stay_on_the_sample():
    rows = blobs(30_000, D, K, seed=1, separation=4.0)
    events = []
    found = sweep(
        rows, (1, 2, 3, 4), ("full", "spherical"), random_state=0, sample_rows=3000,
        listen=events.append,
    )  # fmt: skip
    assert passes_of(events)[:2] == ["survey", "sample"]
    table = found.table
    for k in (1, 2):
        assert table["status"][row(found, k)] == "sample"
    for k in range(1, 5):
        assert table["status"][row(found, k, "spherical")] == "sample"
    assert table["status"][row(found, 3)] == "fitted"
    assert (found.best().n_components, found.best().covariance_type) == (3, "full")
    for index, model in enumerate(found.models):
        # What stayed is measured on all rows too.
        assert table["bic"][index] == pytest.approx(as_reference(model).bic(rows), rel=1e-6)
    # It takes part in the passes that others need: a single component is exact after one.
    one = row(found, 1)
    assert table["passes"][one] > 0
    assert_allclose(found.models[one].means_[0], rows.mean(axis=0), rtol=1e-10)
    covariance = np.cov(rows.T, bias=True) + 1e-6 * np.eye(D)
    assert_allclose(found.models[one].covariances_[0], covariance, rtol=1e-9)
    assert max(table["passes"]) == max(
        passes
        for passes, status in zip(table["passes"], table["status"], strict=True)
        if status == "fitted"
    )


def test_the_best_by_icl_goes_on_even_if_clearly_beaten_by_bic():
    """A cluster that is no Gaussian needs two components, which BIC counts and ICL does not."""
    random = np.random.default_rng(0)
    spread = np.where(random.random(4000) < 0.5, 1.0, 2.0)
    rows = random.normal(size=(4000, 2)) * spread[:, None]
    rows[::2, 0] += 40
    found = sweep(rows, range(1, 5), random_state=0)
    assert found.best().n_components == 4
    assert found.best("icl").n_components == 2


def test_a_smaller_tolerance_is_near_enough_for_bic_to_tell():
    """Four round clusters that overlap; with tol=1e-3 five components are taken."""
    random, chunks = np.random.default_rng(0), []
    centres = random.normal(scale=3, size=(4, 3))
    for _ in range(20):
        labels = random.integers(0, 4, 50_000)
        chunks.append(centres[labels] + random.normal(size=(50_000, 3)))
    found = sweep(chunks, (4, 5), "spherical", random_state=0, tol=1e-4)
    assert found.best().n_components == 4
    longer = sweep(chunks, 4, "spherical", random_state=0, tol=1e-6)
    # A fifth component costs 69.
    assert found.best().bic(chunks) - longer.best().bic(chunks) < 10


def stations(count, each, seed=0):
    """Return rows of many stations, alike within a station, and the station of each row."""
    random = np.random.default_rng(seed)
    centres = random.normal(size=(count, 2))
    belongs = np.repeat(np.arange(count), each)
    return centres[belongs] + 0.05 * random.normal(size=(len(belongs), 2)), belongs


def test_held_out_groups_ask_for_fewer_components():
    """Stations are drawn from one Gaussian; BIC takes each of them for a cluster."""
    rows, belongs = stations(30, 40)
    shuffled = np.random.default_rng(1).permutation(len(rows))
    rows, belongs = rows[shuffled], belongs[shuffled]
    settings = {"n_components": (1, 2, 16), "random_state": 0, "n_init": 1}
    grouped = sweep(rows, groups=belongs, criterion="heldout", **settings)
    blind = sweep(rows, criterion="heldout", **settings)
    assert grouped.best("bic").n_components == blind.best().n_components == 16
    assert grouped.best().n_components <= 2
    place = row(grouped, 1)
    assert grouped.table["heldout_se"][place] > 3 * blind.table["heldout_se"][place]


def test_held_out_blocks_of_neighbouring_rows_need_no_groups():
    rows, _ = stations(50, 40)
    found = sweep(rows, (1, 2, 24), criterion="heldout", random_state=0, n_init=1)
    assert found.best().n_components <= 2


def test_groups_of_any_kind():
    rows, belongs = stations(20, 50)
    settings = {"n_components": (1, 2), "random_state": 0, "n_init": 1}
    names = np.array([f"station {i:02}" for i in belongs])
    expected = sweep(rows, groups=belongs, **settings)
    assert_same_table(sweep(rows, groups=names, **settings).table, expected.table)
    named = sweep(rows, groups=list(names), **settings)
    assert_same_table(named.table, expected.table)


def test_groups_that_are_stored_are_those_in_memory(tmp_path):
    """By the name of a column, in chunks, on a grid: a pass over them alone reads what is asked."""
    rows, belongs = stations(20, 50)
    shuffled = np.random.default_rng(1).permutation(len(rows))
    rows, belongs = rows[shuffled], belongs[shuffled]
    names = np.array([f"station {i:02}" for i in belongs])
    settings = {"n_components": 1, "random_state": 0, "n_init": 1, "criterion": "heldout"}
    expected = sweep(rows, groups=belongs, **settings).table["heldout"]
    frame = pd.DataFrame(rows, columns=["a", "b"]).assign(station=names, number=belongs)
    frame.to_parquet(tmp_path / "x.parquet", row_group_size=170)
    opened = open_parquet(tmp_path / "x.parquet", ["a", "b"])
    lazy, grid = da.from_array(rows, chunks=(130, 2)), rows.reshape(40, 25, 2)
    numbers = xr.DataArray(belongs.reshape(40, 25), dims=("y", "x"))
    for x, groups in (
        (frame.drop(columns="number"), "station"),
        (frame.drop(columns="station"), "number"),
        (opened, "station"),
        (opened, "number"),
        (lazy, da.from_array(names, chunks=300)),
        ([rows[:300], rows[300:]], [names[:300], names[300:]]),
        (xr.DataArray(grid, dims=("y", "x", "band")).chunk(y=7), numbers),
    ):
        dims = {"feature_dims": ("band",)} if isinstance(x, xr.DataArray) else {}
        found = sweep(x, groups=groups, **settings, **dims)
        assert_allclose(found.table["heldout"], expected, rtol=1e-6)
        assert found.best().n_features_in_ == 2


def test_groups_that_hold_nothing_out():
    lazy = da.from_array(X, chunks=(700, 2))
    alike, numbers = np.zeros(N, int), np.arange(N) / 2
    numbers[N - 1] = np.nan
    with pytest.raises(ValueError, match="groups has a single value"):
        sweep(lazy, (1, 2), groups=da.from_array(alike, chunks=700), random_state=0)
    with pytest.raises(DataError, match=rf"groups is missing in row {N - 1} "):
        sweep(lazy, (1, 2), groups=da.from_array(numbers, chunks=700), random_state=0)
    for some in (numbers, np.where(np.isnan(numbers), None, numbers.astype(object))):
        with pytest.raises(DataError, match=rf"groups is missing in row {N - 1},"):
            sweep(lazy, (1, 2), groups=some, random_state=0)
    large = 2**53 + np.arange(N)  # of which float64 holds every second one
    for some in (da.from_array(large, chunks=700), large.astype(float)):
        with pytest.raises(
            DataError, match=r"groups contains 9007199254740992 in row 0.*Give texts"
        ):
            sweep(lazy, (1, 2), groups=some, random_state=0)


def test_whole_weights_are_repeated_rows():
    counts = np.random.default_rng(0).integers(0, 3, N)
    repeated = np.repeat(X, counts, axis=0)
    said = {"sample_weight": counts.astype(float), "weights_are": "counts"}
    found = sweep(X, (2, 3), random_state=0, **said)
    for index, model in enumerate(found.models):
        assert found.table["bic"][index] == pytest.approx(as_reference(model).bic(repeated), 1e-6)
    assert found.best().n_components == K
    alone = sweep(repeated, (2, 3), random_state=0)
    assert found.best().score(repeated) == pytest.approx(alone.best().score(repeated), abs=1e-4)


def test_rows_of_weight_zero_are_no_rows():
    weights = np.r_[np.ones(N), np.zeros(500)]
    found = sweep(np.r_[X, X[:500] + 1e3], (3,), sample_weight=weights, random_state=0)
    expected = sweep(X, (3,), random_state=0)
    for name in ("heldout", "heldout_se"):  # blocks of consecutive rows are others
        del found.table[name], expected.table[name]
    assert_same_table(found.table, expected.table)


@pytest.fixture(scope="module", params=[None, 500])
def undisturbed(request):
    """Settings of a sweep, what it finds, and the names of its passes."""
    settings = {**SETTINGS, "covariance_type": ("full", "diag"), "sample_rows": request.param}
    settings |= {"X": da.from_array(X, chunks=(350, D)), "tol": 1e-9, "n_components": 3}
    settings["n_init"] = 1
    events = []
    return settings, sweep(listen=events.append, **settings), passes_of(events)


@pytest.mark.parametrize("after", [0, 1])
def test_interrupted_and_resumed_gives_the_same_bits(tmp_path, after, undisturbed):
    settings, whole, quiet = undisturbed
    path, seen = tmp_path / "s.ckpt", []

    def stop(event):
        seen.append(event)
        iterated = sum(isinstance(each, SweepIterated) for each in seen)
        if isinstance(event, PassEnded) and event.name == "expectation" and iterated == after:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        sweep(checkpoint=path, listen=stop, **settings)
    events = []
    found = sweep(checkpoint=path, listen=events.append, **settings)
    assert "survey" not in passes_of(events)
    assert bits(found) == bits(whole)
    drawn = ["survey"] if settings["sample_rows"] is None else ["survey", "sample"]
    assert quiet[: len(drawn)] == drawn
    assert passes_of(events) == quiet[len(drawn) + after :]


FIRST = {"X": X, "n_components": (2, 3), "n_init": 1, "random_state": 0}


@pytest.fixture(scope="module")
def first_checkpoint(tmp_path_factory):
    path = tmp_path_factory.mktemp("first") / "s.ckpt"
    sweep(checkpoint=path, **FIRST)
    return path


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"n_components": (2, 4)}, "n_components was"),
        ({"covariance_type": "diag"}, "covariance_type was"),
        ({"n_init": 3}, "n_init was 1 and is 3"),
        ({"tol": 1e-5}, "tol was"),
        ({"reg_covar": 1e-4}, "reg_covar was"),
        ({"prior": "conjugate"}, "prior was not given and is"),
        ({"random_state": 1}, "random_state was 0 and is 1"),
        ({"groups": np.arange(N) // 100}, "groups was not given"),
        ({"sample_weight": np.ones(N)}, "sample_weight was not given"),
        ({"X": X + 1}, "values of X"),
    ],
)
def test_another_sweep_does_not_go_on(first_checkpoint, tmp_path, settings, words):
    path = shutil.copy(first_checkpoint, tmp_path)
    with pytest.raises(CheckpointError, match=words):
        sweep(checkpoint=path, **{**FIRST, **settings})


def test_another_n_init_is_no_other_random_state(first_checkpoint, tmp_path):
    path = shutil.copy(first_checkpoint, tmp_path)
    with pytest.raises(CheckpointError, match="n_init was 1 and is 3") as caught:
        sweep(checkpoint=path, **{**FIRST, "n_init": 3})
    assert "random_state" not in str(caught.value)


def test_more_iterations_go_on(tmp_path):
    """To the bits of a sweep that had them from the beginning; fewer than were done are refused."""
    path = tmp_path / "s.ckpt"
    settings = {**FIRST, "tol": 1e-9, "sample_rows": 300, "checkpoint": path}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        first = sweep(max_iter=2, **settings)
    assert not all(model.converged_ for model in first.models)
    events = []
    found = sweep(max_iter=50, listen=events.append, **settings)
    assert "survey" not in passes_of(events)
    assert bits(found) == bits(sweep(max_iter=50, **{**settings, "checkpoint": None}))
    assert {model.max_iter for model in found.models} == {50}
    with pytest.raises(CheckpointError, match=r"iterations already, and max_iter is 1\. Raise"):
        sweep(max_iter=1, **settings)


def test_checkpoints_of_earlier_versions_go_on(tmp_path, first_checkpoint):
    """They say how many iterations were allowed."""
    path = shutil.copy(first_checkpoint, tmp_path)
    document = json.loads(Path(path).read_text())
    del document["sha256"]
    document["identity"]["max_iter"] = 100
    Path(path).write_text(json.dumps({**document, "sha256": digest_of(document)}))
    assert bits(sweep(checkpoint=path, **FIRST)) == bits(sweep(**FIRST))


def test_checkpoints_of_fits_and_sweeps_are_kept_apart(tmp_path):
    path = tmp_path / "c"
    GaussianMixture(2, random_state=0).fit(X, checkpoint=path)
    with pytest.raises(CheckpointError):
        sweep(X, (2,), random_state=0, checkpoint=path)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"n_components": ()}, "n_components"),
        ({"n_components": 0}, "n_components"),
        ({"n_components": (2, -1)}, "n_components"),
        ({"n_components": (2.5,)}, "n_components"),
        ({"n_components": "2-4"}, "n_components"),
        ({"n_components": (N + 1,)}, "n_components"),
        ({"covariance_type": "round"}, "covariance_type.*round"),
        ({"covariance_type": ("full", "round")}, "covariance_type.*round"),
        ({"covariance_type": ()}, "covariance_type"),
        ({"n_init": 0}, "n_init"),
        ({"n_init": 1.5}, "n_init"),
        ({"criterion": "luck"}, "criterion is 'luck'"),
        ({"tol": -1}, "tol"),
        ({"reg_covar": -1}, "reg_covar"),
        ({"max_iter": -1}, "max_iter"),
        ({"sample_rows": 0}, "sample_rows"),
        ({"cache": "lots"}, "cache"),
        ({"groups": np.zeros(N - 1)}, "groups has shape"),
        ({"groups": np.zeros((N, 2))}, "groups has shape"),
        ({"sample_weight": np.ones(N - 1)}, "sample_weight"),
        ({"sample_weight": np.zeros(N)}, "sample_weight"),
        ({"random_state": "x"}, "random_state"),
    ],
)
def test_bad_arguments_are_refused_by_name(settings, words):
    with pytest.raises(ValueError, match=words):
        sweep(X, **{"n_components": (2, 3), **settings})


def test_too_few_rows_are_found_out_while_reading():
    rows = da.from_array(X, chunks=(350, D))
    unknown = rows[rows[:, 0] > np.sort(X[:, 0])[-4]]
    with pytest.raises(DataError, match="n_samples = 3"):
        sweep(unknown, (4, 6))
    with pytest.raises(ValueError, match="compute_chunk_sizes"):
        sweep(unknown, (2,), groups=np.zeros(3))
    weights = np.zeros(N)
    weights[:3] = 1
    with pytest.raises(DataError, match="n_samples = 3"):
        sweep(X, (4, 6), sample_weight=weights, weights_are="counts")


def test_bad_values_are_named():
    rows = X.copy()
    rows[321, 1] = np.nan
    with pytest.raises(DataError, match="row 321"):
        sweep(da.from_array(rows, chunks=(350, D)), (2, 3))


def test_unknown_lengths():
    rows = da.from_array(X, chunks=(350, D))
    found = sweep(rows[rows[:, 0] > -np.inf], (2, 3), random_state=0)
    assert found.best().n_components == K


def test_one_number_and_numpy_numbers():
    found = sweep(X, 3, random_state=0, n_init=1)
    assert found.table["n_components"] == [3]
    same = sweep(X, np.array([3, 3]), ("full", "full"), random_state=0, n_init=np.int64(1))
    assert bits(same) == bits(found)


def test_degenerate_rows_end_in_a_table():
    rows = np.repeat([[0.0, 1.0], [5.0, 1.0]], 50, axis=0)
    with warnings.catch_warnings():
        warnings.resetwarnings()
        warnings.simplefilter("error")
        before = list(warnings.filters)
        found = sweep(rows, (1, 2, 4), STRUCTURES, random_state=0, n_init=2)
        assert list(warnings.filters) == before
    assert np.isfinite(found.table["bic"]).all()
    table = found.table
    assert table["degenerate"][row(found, 1)] == 0
    assert all(table["degenerate"][row(found, k)] > 0 for k in (2, 4))
    assert found.best().n_components == 1


def test_column_names_are_kept():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=["a", "b", "c"])
    found = sweep(frame, (2, 3), random_state=0, n_init=1)
    for model in found.models:
        assert_array_equal(model.feature_names_in_, ["a", "b", "c"])
    assert len(pandas.DataFrame(found.table)) == len(found.models)
