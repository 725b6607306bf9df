"""Labels and classifiers from the command line: columns, paths, variables, and what is refused."""

import json
import re

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from sklearn.metrics import adjusted_rand_score

from daskgmm import BayesianGaussianMixture, GaussianMixture, GaussianMixtureClassifier
from daskgmm.models.model_file import load_model

NAMES = np.array(["red", "deep green", "blue"])


@pytest.fixture(scope="module")
def known():
    """Rows of three classes, and which is known of every third of them."""
    random = np.random.default_rng(0)
    classes = random.integers(0, 3, 240)
    centres = np.array([[0.0, 0.0], [9.0, 0.0], [0.0, 9.0]])
    return centres[classes] + random.normal(size=(240, 2)), np.where(
        np.arange(240) % 3, -1, classes
    )


@pytest.fixture
def data(tmp_path, monkeypatch, known):
    """The same as columns, as arrays, and on a grid."""
    monkeypatch.chdir(tmp_path)
    x, labels = known
    frame = pd.DataFrame(x, columns=["a", "b"]).assign(number=labels, w=1.0)
    frame["colour"] = np.where(labels < 0, None, NAMES[labels])
    frame.to_parquet("t.parquet", row_group_size=100)
    frame.to_csv("t.csv", index=False)
    frame.drop(columns="colour").to_parquet("n.parquet", row_group_size=100)
    np.save("x.npy", x)
    np.save("y.npy", labels)
    grid = {"bands": (("y", "x", "band"), x.reshape(12, 20, 2).astype("f4"))}
    grid["cover"] = (("y", "x"), labels.reshape(12, 20))
    xr.Dataset(grid).to_zarr("g.zarr", consolidated=False)


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (("t.parquet", "--columns", "a,b", "--labels", "colour"), sorted(NAMES)),
        (("t.csv", "--columns", "a,b", "--labels", "colour"), sorted(NAMES)),
        (("t.csv", "--columns", "a,b", "--labels", "number"), [0, 1, 2]),
        (("n.parquet", "--columns", "a,b", "--labels", "number"), [0, 1, 2]),
        (("n.parquet", "--labels", "number", "--weight-column", "w"), [0, 1, 2]),
        (("x.npy", "--labels", "y.npy"), [0, 1, 2]),
        (("g.zarr", "--variables", "bands", "--features", "band", "--labels", "cover"), [0, 1, 2]),
        (("g.zarr/bands", "--features", "band", "--labels", "g.zarr/cover"), [0, 1, 2]),
    ],
    ids=lambda value: " ".join(map(str, value)),
)
def test_a_classifier_is_fitted(data, call, known, arguments, names):
    done = call("fit", *arguments, "--classifier", "-o", "c.json", "-q")
    assert done.exit_code == 0, done.output
    expected = GaussianMixtureClassifier(random_state=0).fit(*known)
    found = GaussianMixtureClassifier.load("c.json")
    assert found.classes_.tolist() == list(names)
    order = np.argsort(NAMES) if names == sorted(NAMES) else [0, 1, 2]
    np.testing.assert_allclose(found.mixture_.means_, expected.mixture_.means_[order], atol=1e-6)
    scored = call("score", "c.json", *arguments)
    assert re.fullmatch(
        r"accuracy  1\.0000  ([\d,.]+) of \1 (by the weight of )?labelled rows\n", scored.stdout
    ), scored.output
    assert ("by the weight" in scored.stdout) == ("--weight-column" in arguments)


def test_predictions_and_info_name_the_classes(data, call):
    given = ("t.parquet", "--columns", "a,b", "--labels", "colour", "--classifier", "-k", 2)
    done = call("fit", *given, "--covariance", "EEI", "--checkpoint", "fit.ck", "-o", "c.json")
    assert done.exit_code == 0, done.output
    assert re.search(r"deep green +2 +\d+ +0\.\d+\n", done.stdout)
    said = call("info", "c.json").stdout
    assert "c.json: Gaussian mixture classifier" in said
    assert re.search(r"component +class +weight", said)
    assert "clusters" not in said
    written = call(
        "predict", "c.json", "t.parquet", "--outputs", "label,posterior", "--key", "a,b,colour",
        "-o", "p.parquet",
    )  # fmt: skip
    assert written.exit_code == 0, written.output
    assert re.search(r"deep green +\d+ +3\d\.\d%", written.stdout)
    table = pd.read_parquet("p.parquet")
    known = table.colour.notna()
    assert (table.colour[known] == table.label[known]).all()
    assert table.columns[4:].tolist() == [f"posterior_{name}" for name in sorted(NAMES)]
    assert call("predict", "c.json", "t.parquet", "-o", "p.zarr", "-q").exit_code == 0
    assert re.search("classes +blue, deep green, red", call("info", "p.zarr").stdout)
    likelihood = GaussianMixtureClassifier.load("c.json").mixture_.score(table[["a", "b"]])
    scored = call("score", "c.json", "t.parquet").stdout
    assert scored.split() == ["log_likelihood", f"{likelihood:.10g}", "nats", "per", "row"]


def test_labels_of_components(data, call, known):
    x, labels = known
    expected = GaussianMixture(3, random_state=0).fit(x, labels=labels)
    for given in (
        ("n.parquet", "--columns", "a,b", "--labels", "number"),
        ("x.npy", "--labels", "y.npy"),
    ):
        done = call("fit", *given, "-k", 3, "-o", "m.json", "-q", "--overwrite")
        assert done.exit_code == 0, done.output
        np.testing.assert_allclose(load_model("m.json").means_, expected.means_, rtol=1e-9)
        assert call("plan", *given, "-k", 3).exit_code == 0
        done = call(
            "sweep", *given, "-k", "3-4", "--n-init", 1, "-o", "s.json", "-q", "--overwrite"
        )
        assert done.exit_code == 0, done.output
        swept = load_model("s.json")
        assert swept.fitted_on_["labelled_rows"] == (labels >= 0).sum()
        np.testing.assert_allclose(swept.means_[:3], expected.means_, atol=0.05)
    small = call("sweep", *given, "-k", "2-4", "-o", "t.json", "-q")
    assert (small.exit_code, "Sweep from 3 on" in small.stderr) == (2, True)
    some = labels >= 0
    agreed = call("score", "m.json", *given)
    assert (
        f"adjusted Rand index  {adjusted_rand_score(labels[some], expected.predict(x)[some]):.4f}\n"
        in agreed.stdout
    )
    assert "; left out: " in agreed.stdout
    as_json = json.loads(call("score", "m.json", *given, "--json").stdout)
    assert as_json["rows"] == (labels >= 0).sum()
    assert as_json["contingency"] == [[*map(int, row)] for row in as_json["contingency"]]
    np.save("w.npy", np.ones(len(x)))
    weighed = call("score", "m.json", *given, "--weights", "w.npy")
    assert (weighed.exit_code, "counts rows" in weighed.stderr) == (2, True)
    assert float(call("score", "m.json", "x.npy").stdout.split()[1]) == pytest.approx(
        expected.score(x), rel=1e-7
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--classifier",), "Name them with --labels"),
        (("--labels", "colour"), "Missing option '--components' / '-k'"),
        (("--labels", "colour", "-k", 3), "Fit a classifier (--classifier)"),
        (("--labels", "colour", "--classifier", "--noise"), "--noise is not of a classifier"),
        (("--labels", "colour", "--classifier", "--n-init", 3), "--n-init is not of"),
        (("--labels", "colour", "--classifier", "--covariance", "ppca"), "Choose one without"),
        (("--labels", "colour", "--classifier", "-k", "1-2"), "goes with --structures own"),
        (("--labels", "colour", "--classifier", "--covariance", "all"), "Set --structures own"),
        (("--labels", "colour", "--classifier", "--class-priors", "1,2"), "give 3 numbers"),
        (("--labels", "colour", "--classifier", "--class-priors", "1,x"), "not a list of numbers"),
        (("-k", 2, "--structures", "own"), "--structures goes with --classifier"),
        (("--labels", "colour", "--classifier", "--criterion", "aic"), "with --structures own"),
        (("-k", "2,3"), "of a mixture with daskgmm sweep"),
        (("-k", 2, "--covariance", "full,diag"), "--covariance has several values"),
        (("--labels", "colours", "--classifier"), "'colours', which is not a column of X"),
        (("--labels", "no.npy", "--classifier", "--columns", "a,b"), "no.npy does not exist"),
    ],
    ids=str,
)
def test_errors_name_what_to_do(data, call, arguments, words):
    done = call("fit", "t.parquet", *arguments, "-o", "c.json", "-q")
    assert done.exit_code != 0
    assert words in done.output


def test_options_hold_for_the_accuracy_too(data, call, known):
    x, labels = known
    GaussianMixtureClassifier(random_state=0).fit(x, labels).save("c.json")
    holed = np.where(np.arange(len(x))[:, None] % 2, [np.nan, 0.0], x)
    np.save("holed.npy", holed)
    arguments = ("score", "c.json", "holed.npy", "--labels", "y.npy", "--json")
    assert call(*arguments).exit_code == 1
    done = call(*arguments, "--missing", "drop")
    assert done.exit_code == 0, done.output
    expected = (labels[labels >= 0].size, labels[(labels >= 0) & (np.arange(len(x)) % 2 == 0)].size)
    assert json.loads(done.stdout)["accuracy"] == pytest.approx(expected[1] / expected[0])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::daskgmm.errors.ChoiceWarning")
def test_classes_have_sizes_and_structures_of_their_own(data, call, known):
    given = ("t.parquet", "--columns", "a,b", "--labels", "colour", "--classifier")
    assert call("fit", *given, "--tails", "t", "-o", "t.json", "-q").exit_code == 0
    assert GaussianMixtureClassifier.load("t.json").tails == "t"
    own = ("--structures", "own", "-k", "1-2", "--covariance", "EII,diag", "--criterion", "aic")
    done = call("fit", *given, *own, "--class-priors", "0.2,0.3,0.5", "-o", "c.json", "-q")
    assert done.exit_code == 0, done.output
    found = GaussianMixtureClassifier.load("c.json")
    x, labels = known
    rows = labels >= 0
    expected = GaussianMixtureClassifier(
        [1, 2], covariance_type=("EII", "diag"), structures="own", criterion="aic", random_state=0
    ).fit(x[rows], NAMES[labels[rows]])
    np.testing.assert_allclose(found.mixture_.means_, expected.mixture_.means_, rtol=1e-6)
    assert found.class_prior_.tolist() == [0.2, 0.3, 0.5]
    assert (found.structures, found.n_components) == ("own", [1, 2])


@pytest.mark.parametrize(
    ("option", "settings"),
    [
        (("--noise",), {"noise": True}),
        (("--tails", "t"), {"tails": "t"}),
        (("--bayesian", "dirichlet_distribution"), None),
    ],
    ids=str,
)
def test_labels_go_with_every_model(data, call, known, option, settings):
    x, labels = known
    if settings is None:
        kind = {"weight_concentration_prior_type": "dirichlet_distribution"}
        expected = BayesianGaussianMixture(3, random_state=0, **kind).fit(x, labels=labels)
    else:
        expected = GaussianMixture(3, random_state=0, **settings).fit(x, labels=labels)
    given = ("x.npy", "--labels", "y.npy", "-k", 3, *option)
    done = call("fit", *given, "-o", "m.json", "-q")
    assert done.exit_code == 0, done.output
    np.testing.assert_array_equal(load_model("m.json").means_, expected.means_)


def test_noise_beside_columns_and_a_column_of_texts(data, call, known):
    x, labels = known
    frame = pd.read_parquet("t.parquet").drop(columns="number")
    noise = np.random.default_rng(0).uniform(0.1, 2.0, x.shape)
    frame[["ea", "eb"]] = noise
    frame.to_parquet("e.parquet", row_group_size=100)
    arguments = ("e.parquet", "--columns", "a,b", "--labels", "colour", "--noise-variance", "ea,eb")
    done = call("fit", *arguments, "--classifier", "-o", "c.json", "-q")
    assert done.exit_code == 0, done.output
    expected = GaussianMixtureClassifier(random_state=0).fit(x, labels, noise_variance=noise)
    found = GaussianMixtureClassifier.load("c.json")
    order = np.argsort(NAMES)
    np.testing.assert_allclose(found.mixture_.means_, expected.mixture_.means_[order], atol=1e-6)
    scored = call("score", "c.json", *arguments, "--json")
    assert scored.exit_code == 0, scored.output
    accuracy = expected.score(x, labels, noise_variance=noise)
    assert json.loads(scored.stdout)["accuracy"] == pytest.approx(accuracy)
    plain = ("e.parquet", "--noise-variance", "ea,eb", "--json")
    likelihood = json.loads(call("score", "c.json", *plain).stdout)["log_likelihood"]
    wanted = expected.score_samples(x, noise_variance=noise).mean()
    assert likelihood == pytest.approx(wanted, rel=1e-6)
    done = call("predict", "c.json", "e.parquet", "--noise-variance", "ea,eb", "-o", "p.zarr", "-q")
    assert done.exit_code == 0, done.output
