"""Results are cards in notebooks: what their texts say, in one style."""

import inspect
import re

import numpy as np
import pytest
from sklearn import config_context

import daskgmm
from daskgmm import GaussianMixture, compare, csv_to_parquet
from daskgmm.markup.carded import FIRST_ROWS, Carded, Grid, Sheet
from daskgmm.models.estimators import ESTIMATORS
from daskgmm.models.fitting.estimator import MixtureEstimator
from daskgmm.models.likelihood_ratio import LikelihoodRatio
from daskgmm.models.mixtures.alignment import alignment

X = np.random.default_rng(0).normal(size=(400, 2)) + 9 * (np.arange(400) % 2)[:, None]
SETTINGS = {"random_state": 0, "init_params": "k-means++"}


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    one, two = (GaussianMixture(k, **SETTINGS).fit(X) for k in (1, 2))
    (folder / "t.csv").write_text("a,<b>\n1,2\n")
    return {
        "errors": two.standard_errors(X),
        "drift": two.drift(X),
        "comparison": compare(one, two, X),
        "ratio": LikelihoodRatio(1, 0.5, 0.25, 60.0, np.array([3.0, 9.0, 4.0]), 60, 400, one, two),
        "moments": two.moments(X),
        "modes": two.modes(),
        "labels": two.label_agreement(X, np.arange(400) % 2),
        "alignment": alignment(np.array([[0.0, 9.0], [9.0, 0.1], [3.0, 4.0]])),
        "written": two.predict_to_zarr(X, folder / "labels.zarr"),
        "converted": csv_to_parquet(folder / "t.csv", folder / "t.parquet"),
    }


def words(html):
    """Return what is read on a card."""
    return " ".join(re.sub(r"<[^>]*>", " ", html.partition("</style>")[2]).split())


@pytest.mark.parametrize(
    ("name", "told"),
    [
        (
            "errors",
            ("StandardErrors of 2 components in 2 features, from 400 rows", "mean 0 column 0"),
        ),
        ("drift", ("Drift of 400 rows: ", "Changes, the largest first component feature mean")),
        ("comparison", ("Two mixtures of 2 features", "adjusted Rand index 0.0000")),
        (
            "ratio",
            (
                "1 component or 2: the next one adds",
                "60 rows drawn of 400",
                "3 simulated sets of as many rows, the largest 9",
            ),
        ),
        ("moments", ("MixtureMoments of 400 rows under 2 components (full)", "expected weight")),
        ("modes", ("2 modes of 2 components", "log density, nats point components 0 ")),
        ("labels", ("400 rows adjusted Rand index 1.0000", "known 0 1 0 ")),
        ("alignment", ("Alignment of 3 components", "0 0 1.000 1.000", "2 2")),
        ("written", ("Predictions of 400 rows", "200 50.0%")),
        ("converted", ("1 row of Parquet", "&lt;b&gt; int64")),
    ],
)
def test_cards(results, name, told):
    html = results[name]._repr_html_()
    for part in told:
        assert part in words(html)
    assert "<script" not in html
    with config_context(display="text"):
        assert results[name]._repr_html_() is None


def test_a_table_of_errors_is_on_its_card(results):
    """All numbers of the text, in its order."""
    text = results["errors"].table().splitlines()[1:]
    found = words(results["errors"]._repr_html_())
    places = [found.index(" ".join(line.split())) for line in text]
    assert places == sorted(places)
    assert len(places) == 10


def test_the_numbers_of_a_comparison_are_those_of_its_text(results):
    found, card = results["comparison"], words(results["comparison"]._repr_html_())
    numbers = re.findall(r"\d+\.\d+", repr(found))
    assert len(numbers) > 10
    assert all(number in card for number in numbers)


def test_long_tables_are_folded():
    grid = Grid("caption", ("name", "value"), [(f"row{i}", "1") for i in range(FIRST_ROWS + 3)])
    html = Sheet("title", grids=[grid]).html()
    before, _, folded = html.partition("<details>")
    assert f">row{FIRST_ROWS - 1}<" in before
    assert f">row{FIRST_ROWS}<" in folded
    assert "3 more" in folded


def test_what_public_functions_return_has_a_card():
    """Results that are classes of ours; pairs, estimators and arrays are shown as they are."""
    plain = {"Any", "Array", "Self", "Divergence", "Regression", "Level", "ParquetRows"}
    methods = inspect.getmembers(GaussianMixture, inspect.isfunction)
    functions = [each for name, each in methods if name[0] != "_"]
    functions += [getattr(daskgmm, name) for name in daskgmm.__all__]
    returned = (str(getattr(each, "__annotations__", {}).get("return")) for each in functions)
    named = {name for name in returned if re.fullmatch(r"[A-Z]\w*", name)} - plain
    carded = {kind.__name__ for kind in Carded.__subclasses__()}
    estimators = {kind.__name__ for kind in (*ESTIMATORS.values(), MixtureEstimator)}
    assert {"StandardErrors", "Drift", "Comparison", "LikelihoodRatio", "Plan", "Sweep"} <= named
    assert named - estimators - {"None"} <= carded
