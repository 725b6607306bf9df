"""The plan: what a fit will cost, from data and settings, and what to do about it."""

from dataclasses import replace

import dask
import dask.array as da
import numpy as np
import pytest
import zarr
from distributed import Client, LocalCluster

import daskgmm
from daskgmm import GaussianMixture
from daskgmm.em.events import PassEnded
from daskgmm.em.survey.first_pass import survey_nbytes
from daskgmm.errors import PlanError
from daskgmm.passes.dataset import cached_batches

X = np.random.default_rng(0).normal(size=(200_000, 4))


@pytest.fixture
def stored(tmp_path):
    zarr.create_array(tmp_path / "x.zarr", data=X, chunks=(1000, 4))
    return str(tmp_path / "x.zarr")


@pytest.mark.slow
def test_the_numbers_are_those_of_the_fit(stored):
    planned = daskgmm.plan(stored, 3, max_iter=7, n_init=2)
    passes = []
    GaussianMixture(3, max_iter=7, n_init=2, tol=0.1, random_state=0).fit(
        stored, listen=lambda e: passes.append(e) if isinstance(e, PassEnded) else None
    )
    assert {each.nbytes for each in passes} == {planned.pass_nbytes} == {X.nbytes}
    assert planned.rows == 200_000
    assert (planned.features, planned.dtype) == (4, "float64")
    assert len(passes) <= planned.max_passes == 9
    assert planned.cached_batches == 0


def wide(**settings):
    return daskgmm.plan(da.zeros((100_000, 2000), chunks=(1000, 2000)), 50, **settings)


def test_a_model_of_principal_axes_needs_memory_for_these_alone():
    with dask.config.set(num_workers=2):
        assert wide().worker_nbytes > 20e9
        few = wide(pca=20)
        survey, blocks = 2 * survey_nbytes(2000), 2 * 1000 * 8 * 2000
        assert survey + blocks < few.worker_nbytes < 3e9
        # Of a part of the variance nobody knows before how many axes it takes.
        assert wide(pca=0.9).worker_nbytes > 20e9
    assert few.features == 2000


def test_the_start_counts_where_it_is_made():
    few, many = (
        daskgmm.plan(da.zeros((n, 600), chunks=(1000, 600)), 5, covariance_type="diag")
        for n in (10_000, 100_000)
    )
    assert few.start_nbytes > 10_000 * 600 * 8 * 4
    # Of more rows a sample is drawn, of 128 MiB at most.
    assert 4 << 27 < many.start_nbytes < 8 << 27
    assert many.worker_nbytes > many.start_nbytes
    assert "the start takes" in str(many)


def test_fewer_rows_than_components_are_refused_as_by_a_fit():
    with pytest.raises(ValueError, match="n_components = 5, n_samples = 3"):
        daskgmm.plan(np.zeros((3, 3)), 5)


def test_a_plan_takes_the_settings_of_a_fit(stored):
    plain, dropping = daskgmm.plan(stored, 3), daskgmm.plan(stored, 3, missing="drop")
    mapped = daskgmm.plan(stored, 3, standardise=True)
    copied = dropping.thread_nbytes - plain.thread_nbytes
    assert copied >= 1000 * 4 * 8
    assert mapped.thread_nbytes == plain.thread_nbytes + 2 * copied
    with pytest.raises(ValueError, match="asks for more axes than X has columns, 4"):
        daskgmm.plan(stored, 3, pca=5)
    with pytest.raises(ValueError, match="'missing' parameter"):
        daskgmm.plan(stored, 3, missing="ignore")
    with pytest.raises(ValueError, match="'covariance_type' parameter"):
        daskgmm.plan(stored, 3, covariance_type="round")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_wide_fit_of_few_axes_is_not_refused():
    x = np.random.default_rng(0).normal(size=(1200, 600)).astype(np.float32)
    lazy = da.from_array(x, chunks=(200, 600))
    with (
        LocalCluster(
            n_workers=1, threads_per_worker=1, memory_limit="800MB",
            dashboard_address="127.0.0.1:0", silence_logs=50,
        ) as cluster,
        Client(cluster),
    ):  # fmt: skip
        with pytest.raises(PlanError):
            GaussianMixture(50).fit(lazy)
        mixture = GaussianMixture(50, pca=2, random_state=0, max_iter=2, tol=10.0).fit(lazy)
    assert mixture.means_.shape == (50, 2)


def test_nothing_is_read(stored, monkeypatch):
    def refuse(*arguments):
        raise AssertionError("it was read")

    monkeypatch.setattr("daskgmm.rows.stores.zarr_array.read", refuse)
    daskgmm.plan(stored, 3, sample_weight=da.ones(200_000, chunks=1000))


def test_memory_grows_with_chunks_threads_and_model_and_not_with_rows():
    def peak(rows=10**6, chunk=10_000, k=4, threads=1):
        with dask.config.set(num_workers=threads):
            return daskgmm.plan(da.zeros((rows, 8), chunks=(chunk, 8)), k).worker_nbytes

    base = peak()
    assert peak(chunk=200_000) > base + 2 * 64 * 200_000
    assert peak(threads=8) > base + 7 * 64 * 10_000
    assert peak(k=256) > base + 8 * 256 * 45
    assert peak(rows=10**8, chunk=10_000) < 1.1 * base


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (da.zeros((10**6, 8), chunks=(100, 8)), "Chunks are small"),
        (da.zeros((10**8, 8), chunks=(10**7, 8)), "Chunks are large"),
        (da.zeros((10**6, 8), chunks=(500_000, 8)), "2 blocks for 16 threads"),
    ],
)
def test_advice(rows, words):
    with dask.config.set(num_workers=16):
        assert words in str(daskgmm.plan(rows, 4))


def test_of_one_there_is_no_plural():
    text = str(daskgmm.plan(da.zeros((100, 1), chunks=(100, 1)), 1, max_iter=1))
    assert "in               1 batch with 1 block in all\n" in text
    assert "100 of 1 feature, float64" in text
    assert "at most 1 iteration\n" in text
    assert "0 of 1 batch\n" in text


def test_the_text_says_what_is_made_of_the_rows(stored):
    for settings, missing, fitted_in in (
        ({}, "an error", "the columns as they are"),
        (
            {"missing": "drop", "standardise": True},
            "their rows are left out",
            "the columns, each divided by its standard deviation",
        ),
        ({"pca": 1}, "an error", "1 principal axis of the columns"),
        (
            {"pca": 3, "standardise": True},
            "an error",
            "3 principal axes of the columns, each divided by its standard deviation",
        ),
        (
            {"pca": 0.9},
            "an error",
            "principal axes of the columns: as many as explain 0.9 of the variance",
        ),
    ):
        text = str(daskgmm.plan(stored, 3, **settings))
        assert f"\nmissing values   {missing}\n" in text
        assert f"\nthe fit is in    {fitted_in}\n" in text


def test_small_chunks_are_blocks_together(stored):
    """200 chunks of 32 kB are read a MiB at a time."""
    planned = daskgmm.plan(stored, 3)
    assert planned.chunks == 7
    assert " with 7 blocks in all\na block is       a chunk, or small chunks in a row" in str(
        planned
    )


def test_good_chunks_need_no_advice():
    with dask.config.set(num_workers=2):
        assert not daskgmm.plan(da.zeros((10**8, 8), chunks=(10**6, 8)), 8).advice


def test_unknown_lengths_are_said_to_be_unknown():
    x = da.from_array(X, chunks=(1000, 4))
    planned = daskgmm.plan(x[x[:, 0] > 0], 2)
    assert planned.rows is planned.pass_nbytes is None
    assert "unknown until read" in str(planned)


def test_a_refusal_names_what_takes_memory_and_what_takes_less(stored):
    planned = daskgmm.plan(stored, 3)

    def refusal(threads):
        place = replace(planned.place, memory_limit=1 << 20, usable_memory=1 << 20, threads=threads)
        return replace(planned, place=place).refusal

    assert " for the start, " in refusal(2)
    assert " for each of 2 threads in a pass or " in refusal(2)
    assert "workers with fewer threads" in refusal(2)
    assert " for 1 thread in a pass or " in refusal(1)
    assert "Use more memory or smaller chunks." in refusal(1)


@pytest.mark.slow
def test_a_fit_that_exceeds_the_memory_limit_is_refused_before_it_reads():
    x = da.zeros((10**9, 4), chunks=(10**8, 4))  # blocks of 3.2 GB
    events = []
    with Client(
        processes=False,
        n_workers=1,
        threads_per_worker=2,
        memory_limit="2GiB",
        dashboard_address="127.0.0.1:0",
    ):
        planned = daskgmm.plan(x, 2)
        assert planned.place.memory_limit == 2 << 30
        assert not planned.fits
        with pytest.raises(
            PlanError, match=r"may take 1.72 GB of its 2.15 GB.*each of 2 threads.*fewer threads"
        ):
            GaussianMixture(2).fit(x, listen=events.append)
    assert not events


@pytest.mark.slow
def test_the_place_is_looked_up_as_fit_does(stored):
    assert daskgmm.plan(X, 2).place.here
    with Client(
        processes=False, n_workers=3, threads_per_worker=2, dashboard_address="127.0.0.1:0"
    ):
        planned = daskgmm.plan(stored, 2)
        assert (planned.place.workers, planned.place.threads) == (3, 2)
        assert not planned.place.here
        assert daskgmm.plan(X, 2).place.here


def test_the_first_batches_that_fit_are_kept(stored):
    planned = daskgmm.plan(stored, 30, cache="3MB")
    batches = planned.batches
    assert 0 < planned.cached_batches < batches
    assert daskgmm.plan(stored, 30, cache="1GiB").cached_batches == batches
    assert daskgmm.plan(stored, 30, cache=0).cached_batches == 0
    assert daskgmm.plan(X, 3, cache="1GiB").cached_batches == 0  # in memory already
    for bad in ("much", "-1GB", -5):
        with pytest.raises(ValueError, match=r"cache|much"):
            daskgmm.plan(stored, 3, cache=bad)


def test_a_plan_takes_the_settings_of_a_mixture_and_no_others():
    planned = daskgmm.plan(X, 3, covariance_type="diag", max_iter=7)
    others = {"tol": 1e-6, "reg_covar": 1e-3, "prior": "conjugate", "random_state": 0}
    assert daskgmm.plan(X, 3, covariance_type="diag", max_iter=7, **others) == planned
    with pytest.raises(ValueError, match="tol"):
        daskgmm.plan(X, 3, tol=-1)
    with pytest.raises(TypeError, match=r"no argument 'n_clusters'"):
        daskgmm.plan(X, n_clusters=3)
    with pytest.raises(TypeError, match=r"estimator=BayesianGaussianMixture"):
        daskgmm.plan(X, 3, weight_concentration_prior=0.1)


def test_a_plan_takes_an_estimator(stored):
    given = {"covariance_type": "diag", "max_iter": 7, "pca": 2}
    mixture = daskgmm.GaussianMixture(3, noise=True, covariance_type="diag")
    planned = daskgmm.plan(stored, estimator=mixture)
    assert planned == daskgmm.plan(stored, 3, noise=True, covariance_type="diag")
    assert planned != daskgmm.plan(stored, 3, covariance_type="diag")
    bayesian = daskgmm.BayesianGaussianMixture(3, weight_concentration_prior=0.1, **given)
    assert daskgmm.plan(stored, estimator=bayesian) == daskgmm.plan(stored, 3, **given)
    wrong = daskgmm.BayesianGaussianMixture(3, degrees_of_freedom_prior=1.0)
    with pytest.raises(ValueError, match="degrees_of_freedom"):
        daskgmm.plan(stored, estimator=wrong)
    with pytest.raises(ValueError, match=r"n_components, max_iter cannot be given beside"):
        daskgmm.plan(stored, 3, estimator=mixture, max_iter=5)
    with pytest.raises(TypeError, match="give an estimator of daskgmm"):
        daskgmm.plan(stored, estimator="full")


@pytest.mark.slow
def test_a_plan_refuses_a_prior_that_does_not_fit_as_a_fit_does(stored):
    prior = daskgmm.ConjugatePrior(mean=[0.0, 0.0])
    for call in (daskgmm.plan, lambda x, k, **settings: GaussianMixture(k, **settings).fit(x)):
        with pytest.raises(ValueError, match="mean"):
            call(stored, 3, prior=prior)
        with pytest.raises(ValueError, match="equal_weights"):
            call(stored, 3, prior="dirichlet", equal_weights=True)


def test_no_batch_of_unknown_length_is_kept():
    x = da.from_array(X, chunks=(1000, 4))
    data = daskgmm.plan(x[x[:, 0] > 0], 2, cache="1GiB")
    assert data.cached_batches == 0
    assert cached_batches((), 8, 100) == 0


def test_precision_and_checkpoint_are_told(stored, tmp_path):
    assert "\nprecision        float64\n" in (plain := str(daskgmm.plan(stored, 3)))
    assert "\ncheckpoint       none\n" in plain
    kept = daskgmm.plan(stored, 3, checkpoint=tmp_path / "c.json")
    assert "\ncheckpoint       written after each iteration\n" in str(kept)
    assert kept.checkpoint


def test_passes_in_float32_are_told(stored, monkeypatch):
    monkeypatch.setattr("daskgmm.models.planning.check_precision", lambda *given, **named: None)
    planned = daskgmm.plan(stored, 3, precision="float32")
    assert planned.precision.startswith("early passes in float32 where rounding allows it")
    assert f"\nprecision        {planned.precision}\n" in str(planned)
