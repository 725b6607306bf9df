"""What commands call the log likelihood is that of the rows, also where `reg_covar` is large."""

import re

import numpy as np
import pytest

from daskgmm import GaussianMixture, load_model, sweep
from daskgmm.em.events import SweepIterated
from daskgmm.em.objective import objective_name
from daskgmm.errors import ScaleWarning
from daskgmm.models.facts.criteria import likelihoods_of

NARROW = 1e-3
"""Standard deviation of a column, as large as that of the noise of the default `reg_covar`."""


@pytest.fixture
def rows(folder):
    random = np.random.default_rng(0)
    x = random.normal(size=(2000, 2)) * [1.0, NARROW]
    x[:, 0] += 20.0 * (np.arange(2000) % 2)
    np.save("narrow.npy", x)
    return x


def printed(text):
    return [float(value) for value in re.findall(r"log likelihood +(-?\d+\.\d+)", text)]


@pytest.mark.parametrize("k", [1, 2])
def test_fit_and_info_print_what_score_measures(rows, call, k):
    settings = ("--max-iter", 200, "--tol", 1e-9, "--seed", 0)
    fitted = call("fit", "narrow.npy", "-k", k, "-o", "m.json", *settings)
    assert fitted.exit_code == 0, fitted.output
    assert "reg_covar" in fitted.stderr  # a ScaleWarning
    mixture = load_model("m.json")
    score = mixture.score(rows)
    assert score - mixture.lower_bound_ > 0.2  # nats per row
    info = call("info", "m.json").output
    for text in (fitted.stdout, info):
        assert printed(text) == [pytest.approx(score, abs=1e-4)]
    (aic,) = re.findall(r"AIC (-?[\d.]+)", info)
    free = mixture.criteria_["n_parameters"]
    assert float(aic) == pytest.approx(2 * free - 2 * 2000 * printed(info)[0], abs=0.1)
    assert f"objective {mixture.lower_bound_:.5f}" in fitted.stderr


def test_the_lowest_bic_of_a_running_sweep_is_that_of_the_table(rows):
    events = []
    with pytest.warns(ScaleWarning):
        found = sweep(rows, n_components=[2], random_state=0, tol=1e-9, listen=events.append)
    last = [each for each in events if isinstance(each, SweepIterated)][-1]
    assert last.bic == pytest.approx(found.table["bic"][0], abs=1.0)


def test_what_em_raises_has_a_name_of_its_own_where_it_is_no_likelihood_of_the_rows():
    assert objective_name(None) == "log likelihood"
    assert objective_name(None, noise=1e-6) == "objective"
    assert objective_name("conjugate", noise=1e-6) == "log posterior"
    assert objective_name("dirichlet_process") == "variational bound"
    x = np.random.default_rng(0).normal(size=(300, 2))
    mixture = GaussianMixture(2, random_state=0, prior="conjugate").fit(x)
    (what, mean), (name, bound) = likelihoods_of(mixture)
    assert (what, name) == ("log likelihood", "log posterior")
    assert mean == mixture.criteria_["log_likelihood"]
    assert bound == mixture.lower_bound_
