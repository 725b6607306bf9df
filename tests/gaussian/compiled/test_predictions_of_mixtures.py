"""Predictions of mixtures where the compiled kernel is installed."""

import pickle
from dataclasses import replace

import dask
import dask.array as da
import numpy as np
import pytest
import zarr
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import logsumexp

from daskgmm import GaussianMixture
from daskgmm.errors import ClusterError
from daskgmm.gaussian import STRUCTURES
from daskgmm.gaussian.kernels.backends import BACKENDS
from daskgmm.gaussian.kernels.compiled.prediction import CompiledPrediction
from daskgmm.models.predictions.made_outputs import Outputs
from daskgmm.models.predictions.noisy import NoisyPredictor
from daskgmm.models.predictions.output import Asked
from daskgmm.models.predictions.outputs import OUTPUTS as TABLE
from daskgmm.models.predictions.place import Place
from daskgmm.models.predictions.posteriors.filled_posterior import FilledPosterior
from daskgmm.models.predictions.prediction import Predictor
from daskgmm.rows.opening import as_rows
from daskgmm.testing.mixtures import log_joint, random_mixture

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

PLACE = Place(lambda row: f"row {row}")

OUTPUTS = ("label", "posterior", "log_density", "outlier", "outlier_probability", "top")
OUTPUTS += ("largest_posterior", "ambiguity")

CASES = [
    {},
    {"covariance_type": "tied"},
    {"covariance_type": "diag", "standardise": True},
    {"pca": 2},
    {"noise": True},
    {"noise": True, "covariance_type": "tied"},
    {"tails": "t", "covariance_type": "tied"},
    {"tails": "contaminated"},
]


@pytest.fixture(autouse=True)
def _compiled(installed):
    with dask.config.set({"daskgmm.backend": "compiled"}):
        yield


@pytest.fixture(scope="module")
def x():
    random = np.random.default_rng(0)
    parts = [random.normal(size=(700, 3)) + center for center in (0.0, 3.0, 6.0)]
    return random.permutation(np.concatenate([*parts, random.uniform(-30, 30, size=(60, 3))]))


@pytest.fixture(scope="module")
def fitted(x):
    """A function that fits with settings, once."""
    known = {}

    def fit(settings):
        if str(settings) not in known:
            start = {"means_init": np.repeat([[0.0], [3.0], [6.0]], 3, axis=1), "max_iter": 1}
            known[str(settings)] = GaussianMixture(3, **start, **settings).fit(x)
        return known[str(settings)]

    return fit


def by_all(mixture, x):
    return (
        *(mixture.predict(x), mixture.predict_proba(x), mixture.score_samples(x)),
        *(mixture.score(x), mixture.icl(x)),
    )


@pytest.fixture
def calls(monkeypatch):
    """The numbers of rows that the library filled."""
    found, fill = [], CompiledPrediction.fill

    def counted(self, *given):
        found.append(fill(self, *given))
        return found[-1]

    monkeypatch.setattr(CompiledPrediction, "fill", counted)
    return found


@pytest.mark.parametrize("settings", CASES, ids=str)
def test_they_are_those_of_numpy(x, fitted, settings, calls):
    mixture = fitted(settings)
    found = by_all(mixture, x)
    assert sum(calls) > 3 * len(x), "the library did it"
    with dask.config.set({"daskgmm.backend": "numpy"}):
        expected = by_all(mixture, x)
    assert_array_equal(found[0], expected[0])
    assert_allclose(found[1], expected[1], rtol=0, atol=1e-12)
    for one, other in zip(found[2:], expected[2:], strict=True):
        assert_allclose(one, other, rtol=1e-12)


@pytest.mark.parametrize("settings", CASES, ids=str)
def test_what_else_is_asked_for_changes_no_bit(x, fitted, settings):
    mixture = fitted(settings)
    predictor = mixture._predictor()
    noise = predictor.parameters.has_noise

    def outputs(dtype, *names):
        made = Outputs.of(names, Asked(3, dtype, 2, False, noise, d=3))
        return made.predict(predictor, x, PLACE)

    for dtype in ("uint8", "float32", "float64"):
        together = outputs(dtype, *OUTPUTS)
        for name in OUTPUTS:
            for array, values in outputs(dtype, name).items():
                assert_array_equal(values, together[array])
        for array, values in outputs(dtype, "label", "posterior", "log_density").items():
            assert_array_equal(values, together[array])
    assert_array_equal(together["posterior"], mixture.predict_proba(x))


def test_chunks_change_no_bit(x, fitted):
    mixture = fitted({})
    for chunks in ((100, 3), (len(x), 2)):
        lazy = da.from_array(x, chunks=chunks)
        assert_array_equal(mixture.predict_proba(lazy).compute(), mixture.predict_proba(x))
        assert_array_equal(mixture.predict(lazy).compute(), mixture.predict(x))


def test_rows_beside_gaps_are_what_they_are_alone(x, fitted):
    mixture = fitted({"missing": "marginalise"})
    holed = x.copy()
    holed[::3, 1] = np.nan
    whole = np.arange(len(x)) % 3 > 0
    assert_array_equal(mixture.predict_proba(holed)[whole], mixture.predict_proba(x[whole]))
    dropping = fitted({"missing": "drop"})
    found = dropping.predict_proba(holed)
    assert_array_equal(found[whole], dropping.predict_proba(x[whole]))
    assert np.isnan(found[~whole]).all()
    assert (dropping.predict(holed)[~whole] == -1).all()


def test_rows_beside_missing_ones_are_predicted_in_pieces(x, fitted, calls, monkeypatch):
    """A block of outputs is in memory once, not a second time without the rows that miss values."""
    mixture, holed = fitted({"missing": "drop"}), x.copy()
    holed[::50, 1] = np.nan
    expected = mixture.predict_proba(holed)
    assert max(calls) == len(x) - np.isnan(holed).sum()
    calls.clear()
    monkeypatch.setattr("daskgmm.models.predictions.prediction.ROWS_AT_ONCE", 512)
    assert_array_equal(mixture.predict_proba(holed), expected)
    assert max(calls) == 512


OWN_TYPES = [("label", "f8", 0), ("label", ">i4", 0), ("posterior", "f2", 0)]
OWN_TYPES += [("posterior", "f4", 100), ("posterior", "i2", 1000), ("log_density", "i4", 0)]


@pytest.mark.parametrize(("name", "dtype", "levels"), OWN_TYPES)
def test_outputs_of_other_types_are_written_by_numpy(x, fitted, monkeypatch, name, dtype, levels):
    """An entry of one's own may be another one in a type that no back end writes."""

    def own(asked):
        (made,) = TABLE[name](asked)
        return [replace(made, name="own", dtype=np.dtype(dtype), levels=levels, fill=0)]

    monkeypatch.setitem(TABLE, "own", own)
    outputs = Outputs.of(("own", name), Asked(3, "float64", 2, False))
    found = outputs.predict(fitted({})._predictor(), x, PLACE)
    values = found[name] if levels == 0 else np.rint(levels * found[name])
    alone = Outputs.of(("own",), Asked(3, "float64", 2, False))
    for each in (found, alone.predict(fitted({})._predictor(), x, PLACE)):
        assert_array_equal(each["own"], values.astype(dtype))


def predictor_of(name):
    return Predictor(random_mixture(STRUCTURES[name], 3, 2))


def test_many_columns_and_few_components_are_predicted_by_it(calls):
    """Whitened tiles would be faster by NumPy, and are what rows out of range have."""
    parameters = random_mixture(STRUCTURES["full"], 2, 32)
    x = np.random.default_rng(0).normal(size=(600, 32))
    found = Predictor(parameters).log_densities(x, PLACE)
    assert sum(calls) == len(x)
    assert_allclose(found, logsumexp(log_joint(parameters, x), axis=0), rtol=1e-11)
    by_numpy = Predictor(parameters, by=BACKENDS["numpy"])
    assert_allclose(found, by_numpy.log_densities(x, PLACE), rtol=1e-12)


def test_tiles_of_far_rows_are_numpy_s_whatever_was_predicted_before(calls):
    """A tile is of one kernel, by its own rows: ranges known from other tiles change nothing."""
    x = np.random.default_rng(0).normal(size=(40_000, 2))
    x[20_000] = 1e6
    x[::4000, 0] *= 5.0  # ranges that have to be asked for
    predictor = predictor_of("full")
    tile = predictor._fast.rows_of_tile()
    kinds = [type(each) for _, each in predictor.posteriors(x, PLACE)]
    far = 20_000 // tile
    assert [kind is FilledPosterior for kind in kinds] == [i != far for i in range(len(kinds))]
    outputs = Outputs.of(("label", "posterior"), Asked(3, "float64", 2, False))
    first = outputs.predict(predictor, x, PLACE)
    again = outputs.predict(predictor, x, PLACE)
    later = outputs.predict(predictor_of("full"), x[far * tile :], PLACE)
    everything = Outputs.of(("label", "posterior", "top"), Asked(3, "float64", 2, False))
    mixed = everything.predict(predictor_of("full"), x, PLACE)
    for name, values in first.items():
        assert_array_equal(again[name], values)
        assert_array_equal(later[name], values[far * tile :])
        assert_array_equal(mixed[name], values)


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("value", [np.nan, np.inf, 1e200, np.longdouble("1e4000")])
def test_rows_that_no_mixture_takes_are_named(value):
    x = np.zeros((9000, 2), type(value))
    x[8500, 1] = value
    outputs = Outputs.of(("label",), Asked(3, "float64", 2, False))
    said = []
    for name in ("compiled", "numpy"):
        with dask.config.set({"daskgmm.backend": name}):
            predictor = predictor_of("full")
        with pytest.raises(ValueError, match="row 8500") as error:
            outputs.predict(predictor, x, PLACE)
        said.append(str(error.value))
        with pytest.raises(ValueError, match="row 8500"):
            predictor.score(x, None, PLACE)
    assert said[0] == said[1]


def test_files_have_them_in_steps(x, fitted, tmp_path):
    mixture = fitted({})
    zarr.create_array(tmp_path / "x.zarr", data=np.float32(x), chunks=(500, 3))
    out = tmp_path / "out.zarr"
    mixture.predict_to_zarr(tmp_path / "x.zarr", out, ("label", "posterior"), dtype="uint8")
    rows = x.astype(np.float32).astype(np.float64)
    group = zarr.open_group(out, mode="r")
    assert_array_equal(group["posterior"][:], np.rint(255 * mixture.predict_proba(rows)))
    assert_array_equal(group["label"][:], mixture.predict(rows))


@pytest.mark.parametrize("dtype", [np.longdouble, np.float16, np.int16, bool])
def test_rows_of_any_type(x, fitted, dtype):
    """Longer numbers are rounded to double ones before the centre is subtracted."""
    rows = x.astype(dtype)
    rows = rows / 3 if dtype is np.longdouble else rows
    for settings in ({}, {"covariance_type": "diag", "standardise": True}):
        mixture = fitted(settings)
        expected = mixture.predict_proba(rows.astype(np.float64))
        exact = dtype is not np.longdouble or not settings
        assert_allclose(mixture.predict_proba(rows), expected, rtol=0 if exact else 1e-12)


def test_threads_gain_where_calls_are_long(x):
    """Rows in memory take one thread where NumPy's short calls would wait for each other."""
    rows = as_rows(x[:, :2])

    def threads(predictor, **settings):
        return predictor.dataset(rows, **settings).executor.place().threads

    with dask.config.set(num_workers=3):
        assert threads(predictor_of("full"), of_targets=True) == 3
        assert threads(predictor_of("full")) == 1
        plain = Predictor(predictor_of("full").parameters, by=BACKENDS["numpy"])
        assert threads(plain, of_targets=True) == 1
        assert threads(NoisyPredictor(predictor_of("full"), 2), of_targets=True) == 1


def test_a_predictor_travels_after_it_was_used(x):
    predictor = predictor_of("tied")
    expected = predictor.log_densities(x[:, :2], PLACE)
    there = pickle.loads(pickle.dumps(predictor))
    assert_array_equal(there.log_densities(x[:, :2], PLACE), expected)


def test_a_process_without_the_library_says_so(x, tmp_path, monkeypatch):
    from daskgmm.gaussian.kernels.compiled.library import library

    sent = pickle.dumps(predictor_of("full"))
    monkeypatch.setattr("daskgmm.gaussian.kernels.compiled.library.FOLDER", tmp_path)
    library.cache_clear()
    with pytest.raises(ClusterError, match=r"no compiled kernel.*DASKGMM_KERNEL=numpy"):
        pickle.loads(sent).log_densities(x[:, :2], PLACE)
