"""``daskgmm score``: the numbers of `score`, `bic`, `aic` and `icl` from one pass."""

import json

import numpy as np
import pytest

from daskgmm import BayesianGaussianMixture
from daskgmm.models.model_file import save_model


def test_numbers(model, fitted, rows, call):
    done = call("score", model, "rows.zarr")
    assert done.exit_code == 0, done.output
    assert f"{fitted.score(rows):.10g}  nats a row" in done.stdout
    weights = np.random.default_rng(0).uniform(0, 1, len(rows))
    np.save("w.npy", weights)
    done = call("score", model, "rows.npy", "--weights", "w.npy", "--json")
    found = json.loads(done.stdout)
    given = {"sample_weight": weights}
    assert found["log_likelihood"] == pytest.approx(fitted.score(rows, **given), rel=1e-12)
    for name in ("bic", "aic", "icl"):
        assert found[name] == pytest.approx(getattr(fitted, name)(rows, **given), rel=1e-12)
    assert found["n"] == pytest.approx(weights.sum() ** 2 / (weights**2).sum())
    assert found["n_parameters"] == fitted._n_parameters()
    done = call("score", model, "rows.npy", "--weights-are", "counts")
    assert done.exit_code == 2


def test_rows_that_miss_values(model, fitted, rows, call):
    gaps = rows.copy()
    gaps[::7, 1] = np.nan
    np.save("gaps.npy", gaps)
    assert "--missing drop" in call("score", model, "gaps.npy").stderr
    found = json.loads(call("score", model, "gaps.npy", "--missing", "drop", "--json").stdout)
    whole = gaps[~np.isnan(gaps).any(axis=1)]
    assert found["log_likelihood"] == pytest.approx(fitted.score(whole), rel=1e-12)
    assert found["n"] == len(whole)


def test_a_posterior_has_no_criteria(folder, rows, call):
    mixture = BayesianGaussianMixture(2, random_state=0, max_iter=200).fit(rows[:500])
    save_model(mixture, "b.json")
    found = json.loads(call("score", "b.json", "rows.npy", "--json").stdout)
    assert found == {"log_likelihood": pytest.approx(mixture.score(rows), rel=1e-12)}
