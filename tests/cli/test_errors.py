"""`daskgmm errors` writes the standard errors that the library finds."""

import json

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from daskgmm import GaussianMixture, GaussianMixtureClassifier
from daskgmm.cli.advice import advice
from tests.cli.data import clusters

ERRORS = ("errors", "model.json", "x.parquet")


@pytest.fixture
def model(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    frame = pd.DataFrame(clusters(400, 2), columns=["temp", "salt"])
    mixture = GaussianMixture(3, tol=1e-7, max_iter=500, random_state=0).fit(frame)
    mixture.save("model.json")
    whole = frame.assign(cruise=np.arange(400) % 40, w=1.0 + np.arange(400) % 2)
    whole.assign(ship=whole.cruise.astype(str)).to_parquet("x.parquet")
    np.save("groups.npy", np.arange(400) % 40)
    return mixture, frame


@pytest.mark.parametrize("groups", [None, "cruise", "ship", "groups.npy"])
def test_they_are_those_of_the_library(call, model, groups):
    mixture, frame = model
    options = () if groups is None else ("--groups", groups)
    done = call(*ERRORS, *options, "--json", "--level", 0.9)
    assert done.exit_code == 0, done.output
    written = json.loads(done.stdout)
    found = mixture.standard_errors(frame, groups=None if groups is None else np.arange(400) % 40)
    assert (written["units"], written["unit"]) == (found.units, found.unit)
    for name in ("weights", "means", "covariances", "standard_deviations"):
        # The order of groups with names is another one.
        rtol = 1e-12 if groups == "ship" else 0.0
        assert_allclose(written[name]["standard_error"], getattr(found, name), rtol)
        assert_allclose(written[name]["interval"], getattr(found.intervals(0.9), name), rtol)


def test_labels_of_the_fit_are_given_again(call, model):
    _, frame = model
    mixture = GaussianMixture(3, tol=1e-7, max_iter=2000, random_state=0).fit(frame)
    labels = np.where(np.arange(400) % 3 > 0, -1, mixture.predict(frame))
    mixture.fit(frame, labels=labels).save("model.json")
    frame.assign(kind=labels).to_parquet("x.parquet")
    np.save("labels.npy", labels)
    assert "labels= (--labels)" in call(*ERRORS).stderr
    wanted = mixture.standard_errors(frame, labels=labels)
    for given in ("kind", "labels.npy"):
        done = call(*ERRORS, "--labels", given, "--json")
        assert done.exit_code == 0, done.output
        assert_array_equal(json.loads(done.stdout)["means"]["standard_error"], wanted.means)


def test_a_line_for_each_parameter(call, model):
    done = call(*ERRORS, "--blocks", 100)
    assert done.exit_code == 0, done.output
    assert "from 400 rows in 100 blocks" in done.stdout
    for words in ("weight 2 ", "mean 0 temp ", "deviation 1 salt ", "95 % interval"):
        assert words in done.stdout
    assert len(done.stdout.splitlines()) == 3 + 3 + 6 + 6


def test_refusals_name_options(call, model):
    assert call(*ERRORS, "--blocks", 20).exit_code == 2
    few = call(*ERRORS, "--groups", "w", "--weight-column", "w", "--weights-are", "relative")
    assert few.exit_code == 1
    assert "2 groups" in few.stderr


def test_rows_with_gaps_are_left_out_or_taken_with_what_they_have(call, model):
    _, frame = model
    frame.loc[0, "salt"] = np.nan
    frame.to_parquet("x.parquet")
    refused = call(*ERRORS)
    assert (refused.exit_code, "--missing drop" in refused.stderr) == (1, True)
    for missing, rows in (("drop", 399), ("marginalise", 400)):
        done = call(*ERRORS, "--blocks", 100, "--missing", missing)
        assert done.exit_code == 0, done.output
        assert f"from {rows} rows in 100 blocks" in done.stdout


def test_noise_of_the_fit_is_given_again(call, model):
    _, frame = model
    noise = 0.1 + 0.2 * np.random.default_rng(1).random((400, 2))
    mixture = GaussianMixture(3, tol=1e-7, max_iter=2000, random_state=0)
    mixture.fit(frame, noise_variance=noise).save("model.json")
    np.save("noise.npy", noise)
    assert "(--noise-variance)" in call(*ERRORS).stderr
    done = call(*ERRORS, "--noise-variance", "noise.npy", "--json")
    assert done.exit_code == 0, done.output
    wanted = mixture.standard_errors(frame, noise_variance=noise).means
    assert_array_equal(json.loads(done.stdout)["means"]["standard_error"], wanted)


def test_standardised_columns_are_in_units_of_the_data(call, model):
    _, frame = model
    mixture = GaussianMixture(3, tol=1e-7, max_iter=500, random_state=0, standardise=True)
    mixture.fit(frame).save("model.json")
    done = call(*ERRORS, "--json")
    assert done.exit_code == 0, done.output
    written = json.loads(done.stdout)
    assert (written["coordinates"], written["features"]) == ("columns", ["temp", "salt"])
    assert_array_equal(written["means"]["estimate"], mixture.means_in_data_units())
    wanted = mixture.standard_errors(frame).means * mixture.coordinates_.scales
    assert_array_equal(written["means"]["standard_error"], wanted)


def test_labels_of_a_classifier_are_texts(call, model):
    mixture, frame = model
    names = np.array(["oak", "ash", "elm"])[mixture.predict(frame)]
    classifier = GaussianMixtureClassifier(tol=1e-7).fit(frame, names)
    classifier.save("model.json")
    days = pd.date_range("2020-01-01", periods=400)
    frame.assign(species=names, day=days, site="a").to_parquet("x.parquet")
    done = call(*ERRORS, "--labels", "species", "--json")
    assert done.exit_code == 0, done.output
    wanted = classifier.standard_errors(frame, names).means
    assert_array_equal(json.loads(done.stdout)["means"]["standard_error"], wanted)
    for options, words in (
        ((), "MODEL is a classifier, which was fitted with labels"),
        (("--labels", "day"), "y is the column 'day', which holds times"),
        (("--labels", "site"), "y contains 'a', which is not a class of the fit: 'ash', 'elm'"),
        (("--labels", "species", "--groups", "site"), "There is 1 group, and standard errors need"),
        (("--labels", "species", "--groups", "day"), "groups are whole numbers or texts. Name a"),
    ):
        refused = call(*ERRORS, *options)
        assert refused.exit_code > 0
        assert words in " ".join(refused.stderr.split())
        assert "Leave them out" not in refused.stderr


def test_labels_of_a_mixture_are_numbers_and_groups_may_be_texts(call, model):
    _, frame = model
    frame.assign(site="a", day=pd.date_range("2020-01-01", periods=400)).to_parquet("x.parquet")
    for option, column, words in (
        ("labels", "site", "text"), ("labels", "day", "times"), ("groups", "day", "times")
    ):  # fmt: skip
        said = " ".join(call(*ERRORS, f"--{option}", column).stderr.split())
        assert f"{option} is the column '{column}', which holds {words}" in said


@pytest.mark.parametrize("module", ["botocore.exceptions", "obstore.exceptions"])
def test_errors_of_stores_are_no_bugs(module):
    """Their libraries have kinds of their own, which are neither `OSError` nor ours."""
    kind = type("EndpointConnectionError", (Exception,), {"__module__": module})
    told = advice(kind("Could not connect to the endpoint."))
    assert "the endpoint. A store could not be reached, or refused. Check the address" in told
    assert "bug" not in told
    assert "bug" in advice(TypeError("of ours"))
