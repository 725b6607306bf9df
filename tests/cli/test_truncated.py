"""Candidates on the command line: fit, what it says, plan, and refusals."""

import warnings

import numpy as np
import pytest

from daskgmm import GaussianMixture, load_model
from tests.cli.data import clusters

ASKED = ("x.npy", "-k", 9, "--n-candidates", 3)


@pytest.fixture
def data(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    x = clusters(900)
    np.save("x.npy", x)
    return x


def test_a_fit_with_candidates_is_that_of_python(data, call):
    done = call("fit", *ASKED, "--out", "m.json")
    assert done.exit_code in (0, 3)
    mixture = load_model("m.json")
    assert mixture.n_candidates == 3
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        own = GaussianMixture(9, n_candidates=3, random_state=0).fit(data)
    assert own.means_.tobytes() == mixture.means_.tobytes()
    told = f"3 of 9 for each row, which leaves out {own.left_out_:.1e} nats per row"
    assert told in " ".join(done.output.split())
    assert told in " ".join(call("info", "m.json").output.split())


def test_refusals_name_the_option(data, call):
    refused = call("fit", "x.npy", "-k", 9, "--n-candidates", 9, "--out", "m.json")
    assert refused.exit_code != 0
    assert "n_candidates=9 does not go with these settings" in refused.output
    assert "Leave --n-candidates out" in refused.output
    clash = ("--bayesian", "dirichlet_process", "--out", "m.json")
    refused = call("fit", *ASKED, *clash)
    assert "--n-candidates is not of a Bayesian mixture" in refused.output


def test_plans_take_candidates(data, call):
    done = call("plan", *ASKED)
    assert done.exit_code == 0
    assert "1 batch" in done.output or "tasks" in done.output
