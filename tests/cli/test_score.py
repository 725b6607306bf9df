"""``daskgmm score``: the numbers of `score`, `bic`, `aic` and `icl` from one pass."""

import json

import numpy as np
import pandas as pd
import pytest

from daskgmm import BayesianGaussianMixture
from daskgmm.models.model_file import save_model


def test_numbers(model, fitted, rows, call):
    done = call("score", model, "rows.zarr")
    assert done.exit_code == 0, done.output
    assert f"{fitted.score(rows):.10g}  nats per row" in done.stdout
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


@pytest.mark.parametrize("name", ["t.parquet", "t.csv"])
def test_what_goes_beside_rows_is_refused_as_that(folder, rows, call, name):
    """And not as a feature, which would be left out."""
    frame = pd.DataFrame(rows, columns=["a", "b", "c"])
    frame = frame.assign(day=pd.date_range("2024-01-01", periods=len(rows)), real=rows[:, 0] * 2)
    frame.to_parquet(name) if name.endswith("parquet") else frame.to_csv(name, index=False)
    fit = ("fit", name, "--columns", "a,b,c", "-k", 2, "-q", "-o")
    assert call(*fit, "m.json").exit_code == 0
    fit = (*fit, "other.json")
    labels = ("--labels", "day")
    score = ("score", "m.json", name)
    sweep = ("sweep", name, "-k", 2, "-o", "s.json")
    for command in ((*fit, *labels), (*fit, "--classifier", *labels), (*score, *labels),
                    (*sweep, *labels)):  # fmt: skip
        done = call(*command)
        assert done.exit_code == 1
        error = done.stderr.splitlines()[-1]
        assert " is the column 'day', which holds " in error
        assert "Name a column of such labels" in error
        assert "Leave them out" not in error
    for command in (fit, score):
        error = call(*command, "--weight-column", "day").stderr.splitlines()[-1]
        assert error.startswith("Error: sample_weight (--weight-column) is the column 'day', which")
    error = call(*score, "--labels", "real").stderr.splitlines()[-1]
    assert error.startswith("Error: Input labels contains ")
    assert "a label is a whole number" in error
