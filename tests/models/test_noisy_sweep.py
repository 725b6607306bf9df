"""Sweeps over rows with known noise: their tables are those of the rows with it."""

import dask
import dask.array as da
import numpy as np
import pytest

from daskgmm import sweep
from daskgmm.errors import CheckpointError, SettingError
from tests.models.test_sweep import bits

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::daskgmm.errors.ChoiceWarning"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore::daskgmm.errors.DegenerateComponentWarning"),
]

SETTINGS = {"n_components": [1, 2, 3], "n_init": 1, "random_state": 0}


def rows(n=300, seed=0):
    """Return rows of two clusters whose noise has two levels: more clusters to a plain fit."""
    random = np.random.default_rng(seed)
    noise = np.where(random.random((n, 1)) < 0.5, 0.05, 25.0) * np.ones((n, 2))
    x = np.where(random.random((n, 1)) < 0.4, 0.0, 20.0) + random.normal(size=(n, 2))
    return x + np.sqrt(noise) * random.normal(size=(n, 2)), noise


X, NOISE = rows()


@pytest.fixture(scope="module")
def found():
    return sweep(X, noise_variance=NOISE, **SETTINGS)


def test_the_table_is_that_of_rows_with_noise(found):
    for index, model in enumerate(found.models):
        row = {name: column[index] for name, column in found.table.items()}
        score = model.score(X, noise_variance=NOISE)
        assert row["log_likelihood"] == pytest.approx(score, rel=1e-10)
        for name in ("bic", "aic", "icl"):
            criterion = getattr(model, name)(X, noise_variance=NOISE)
            assert row[name] == pytest.approx(criterion, rel=1e-10)
        assert abs(row["heldout"] - score) < 0.1
    assert found.best("bic").n_components == 2
    assert found.best("icl").n_components == 2
    assert len(found.best("bic").fitted_on_["noise_variance"]) == 2


def test_rows_with_noise_ask_for_more_components_without_it(found):
    plain = sweep(X, **SETTINGS)
    assert plain.best("bic").n_components == 3
    best = found.best("bic")
    assert np.abs(best.covariances_ - np.eye(2)).max() < 0.4


@pytest.mark.parametrize("matrices", [False, True], ids=["variances", "matrix"])
def test_noise_that_rows_share(matrices):
    shared = np.array([0.5, 1.0])
    given = np.diag(shared) if matrices else shared
    settings = {**SETTINGS, "n_components": [1, 2]}
    table = sweep(X, noise_variance=given, **settings).table
    each = np.broadcast_to(shared, X.shape).copy()
    each[0, 0] = np.nextafter(0.5, 1.0)  # so every row has a noise of its own
    other = sweep(X, noise_variance=each, **settings).table
    for name in ("log_likelihood", "icl"):
        np.testing.assert_allclose(table[name], other[name], rtol=1e-5)


def test_structures_and_bits_anywhere(found, monkeypatch):
    monkeypatch.setattr("daskgmm.passes.batches.MIN_BATCH_SECONDS", 1e-9)
    lazy = [da.from_array(values, chunks=(100, 2)) for values in (X, NOISE)]
    given = {"covariance_type": ["full", "diag", "tied"], **SETTINGS, "n_components": [2]}
    tables = []
    for threads in (1, 3):
        with dask.config.set(num_workers=threads):
            tables.append(bits(sweep(lazy[0], noise_variance=lazy[1], **given)))
    assert tables[0] == tables[1]


def test_a_checkpoint_is_of_the_same_noise(found, tmp_path):
    again = sweep(X, noise_variance=NOISE, checkpoint=tmp_path / "c", **SETTINGS)
    assert bits(again) == bits(found)
    passes = []
    kept = sweep(
        X, noise_variance=NOISE, checkpoint=tmp_path / "c", listen=passes.append, **SETTINGS
    )
    assert bits(kept) == bits(found)
    with pytest.raises(CheckpointError):
        sweep(X, noise_variance=2 * NOISE, checkpoint=tmp_path / "c", **SETTINGS)


def test_no_noise_is_a_plain_sweep():
    plain = sweep(X, **SETTINGS)
    assert bits(sweep(X, noise_variance=0.0, **SETTINGS)) == bits(plain)


def test_what_estimates_noise_is_refused():
    with pytest.raises(SettingError, match="noise is estimated"):
        sweep(X, covariance_type=["full", "factor"], n_factors=1, noise_variance=NOISE, **SETTINGS)
    with pytest.raises(SettingError, match="tails"):
        sweep(X, tails="t", noise_variance=NOISE, **SETTINGS)
