"""What notebooks show of fitted models, sweeps and plans."""

import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from daskgmm import (
    BayesianGaussianMixture,
    GaussianMixture,
    GaussianMixtureClassifier,
    Sweep,
    load_model,
    plan,
    sweep,
)
from daskgmm.errors import ChoiceWarning, DegenerateComponentWarning
from daskgmm.markup.curve import curve

random = np.random.default_rng(0)
X = random.normal(size=(600, 2)) + 9.0 * (np.arange(600) % 3)[:, None]
NAMES = ["<script>alert(1)</script>", 'salt & "pepper"']
FITTED = GaussianMixture(3, init_params="k-means++", random_state=0).fit(
    pd.DataFrame(X, columns=NAMES)
)


class Page(HTMLParser):
    """The tables of a page as lists of cells, its tags and its text; all tags are closed."""

    VOID = ("circle", "polyline")

    def __init__(self, page):
        super().__init__()
        self.tables, self.tags, self.open, self.text = [], set(), [], []
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        self.open.append(tag)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")
            assert tag == "td" or dict(attributes)["scope"] in ("row", "col")

    def handle_startendtag(self, tag, attributes):
        assert tag in self.VOID

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)
        if "td" in self.open or "th" in self.open:
            self.tables[-1][-1][-1] += data


def page(thing):
    found = Page(thing._repr_html_())
    assert not found.tags & {"script", "link", "iframe", "img", "a"}
    return found


def test_numbers_are_those_of_the_attributes_and_names_are_escaped():
    shown = page(FITTED)
    facts, (header, *rows) = dict(shown.tables[0]), shown.tables[1]
    assert header == ["component", "weight", "rows", *NAMES]
    assert [int(row[0]) for row in rows] == np.argsort(-FITTED.weights_, kind="stable").tolist()
    for k, weight, count, *cells in rows:
        k = int(k)
        assert float(weight) == pytest.approx(FITTED.weights_[k], abs=5e-5)
        assert float(count) == pytest.approx(600 * FITTED.weights_[k], abs=0.5)
        means, deviations = zip(*(map(float, cell.split(" ± ")) for cell in cells), strict=True)
        assert means == pytest.approx(FITTED.means_[k], abs=5e-3)
        expected = np.sqrt(np.diag(FITTED.covariances_[k]))
        assert deviations == pytest.approx(expected, abs=5e-3)
    criteria = FITTED.criteria_
    assert facts["log likelihood"] == f"{criteria['log_likelihood']:.6g} nats per row"
    assert facts["BIC"].startswith(f"{criteria['bic']:,.1f} (17 free parameters, n = 600 rows)")
    assert facts["fit"] == f"converged after {FITTED.n_iter_} iterations"
    assert facts["settings"] == repr(FITTED)


@pytest.mark.parametrize(
    "settings",
    [{"standardise": True}, {"pca": 2}, {"pca": 1}, {"covariance_type": "tied"},
     {"covariance_type": "spherical"}, {"covariance_type": "VVE"}, {"tails": "t"}],
    ids=str,
)  # fmt: skip
def test_features_are_in_the_units_of_the_data(settings):
    mixture = GaussianMixture(2, random_state=0, **settings).fit(X * [1.0, 100.0])
    rows = page(mixture).tables[1][1:]
    variances = np.diagonal(mixture.covariances_in_data_units(), axis1=1, axis2=2)
    for k, _, _, *cells in rows:
        told = np.array([[float(x.replace(",", "")) for x in c.split(" ± ")] for c in cells])
        deviations = np.sqrt(variances[int(k)])
        means = mixture.means_in_data_units()[int(k)]
        assert (np.abs(told[:, 0] - means) <= 0.051 * deviations).all()
        assert told[:, 1] == pytest.approx(deviations, rel=0.06)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_what_does_not_fit_on_a_screen_is_closed():
    wide = GaussianMixture(14, covariance_type="diag", max_iter=1, random_state=0)
    wide.fit(np.random.default_rng(1).normal(size=(200, 10)) * 9, progress=False)
    shown = page(wide)
    assert [len(table) for table in shown.tables[1:]] == [13, 3, 15]
    assert [len(table[0]) for table in shown.tables[1:]] == [11, 11, 5]
    assert {"2 lighter components", "2 further features"} <= set(shown.text)


@pytest.mark.filterwarnings("default")
def test_warnings_stay_in_sight(recwarn):
    mixture = GaussianMixture(2, random_state=0, tol=0, max_iter=2)
    mixture.fit(np.r_[X[::3], np.full((200, 2), 50.0)])
    assert {each.category for each in recwarn} >= {DegenerateComponentWarning}
    text = "".join(page(mixture).text)
    assert "Not converged" in text
    assert str(next(w for w in recwarn if w.category is DegenerateComponentWarning).message) in text
    mixture.sort_components()  # other numbers than the warning's
    text = "".join(page(mixture).text)
    assert "on a floor" not in text
    assert "Some components are degenerate" in text
    assert "degenerate" not in "".join(page(FITTED).text)


def test_every_kind_of_mixture_has_a_card(tmp_path):
    bayesian = BayesianGaussianMixture(3, random_state=0, max_iter=300).fit(X)
    assert f"{bayesian.lower_bound_:.6g} nats per row" in page(bayesian).text
    plain = GaussianMixture(3, random_state=0).fit(X)
    plain.save(tmp_path / "m.json")
    given = GaussianMixture.from_parameters([0.5, 0.5], [[0.0], [4.0]], np.ones((2, 1, 1)))
    noisy = GaussianMixture(3, noise=True, random_state=0).fit(np.r_[X, [[90.0, -90.0]]])
    for mixture in (
        load_model(tmp_path / "m.json"), given, noisy, plain.map_adapt(X[:50]),
        plain.step(plain.moments(X)), GaussianMixture.from_sklearn(plain.to_sklearn()),
    ):  # fmt: skip
        assert page(mixture).tables[1][0][0] == "component"
    assert page(noisy).tables[1][-1][0] == "noise (uniform)"


def test_a_classifier_tells_its_classes():
    y = np.array(["<b>", "b", "c"])[np.arange(600) % 3]
    classifier = GaussianMixtureClassifier(priors=[0.5, 0.25, 0.25]).fit(X, y)
    shown = page(classifier)
    assert shown.tables[1][1:] == [
        ["<b>", "0.5000", "200", "1"], ["b", "0.2500", "200", "1"], ["c", "0.2500", "200", "1"]
    ]  # fmt: skip
    assert {row[1] for row in shown.tables[2][1:]} == {"<b>", "b", "c"}


TABLE = {
    "n_components": [1, 2, 2, 3, 4],
    "covariance_type": ["full"] * 4 + ["<i>"],
    "start": [1, 1, 2, 1, 1],
    "seed": [0] * 5,
    "status": ["sample", "fitted", "sample", "fitted", "failed"],
    "log_likelihood": [-9.0, -5.0, -5.5, -4.9, np.nan],
    "n_parameters": [5, 11, 11, 17, 23],
    "n": [100.0] * 5,
    **{name: [900.0, 500.0, 550.0, 512.5, np.nan] for name in ("aic", "bic", "icl")},
    **{name: [np.nan] * 5 for name in ("heldout", "heldout_se")},
    "passes": [0, 7, 0, 8, 0],
    "converged": [False, True, False, True, False],
    "degenerate": [0] * 5,
    "reason": ["", "", "", "", "singular <x>"],
}


def test_a_sweep_shows_the_best_first_and_what_its_neighbours_lose():
    shown = page(Sweep(TABLE, [None] * 5))
    facts, first, others = shown.tables
    assert dict(facts) == {
        "best by BIC": "2 components, full, BIC 500.00",
        "neighbours": "+400 with 1 component; +12.5 with 3 components",
    }
    assert [row[0] for row in first[1:]] == ["2", "3", "1", "4"]
    assert "BIC" in first[0]
    assert "held out" not in first[0], "which no model has"
    assert [row[first[0].index("BIC")] for row in first[1:]] == ["500.00", "512.50", "900.00", ""]
    assert first[-1][1] == "<i>"
    assert first[-1][-1] == "failed: singular <x>"
    assert [row[0] for row in others[1:]] == ["2"]
    assert "svg" in shown.tags


def test_a_real_sweep_agrees_with_its_table():
    edge = sweep(X, [2, 3], n_init=1, random_state=0)
    with pytest.warns(ChoiceWarning) as caught:
        edge.best()
    shown = page(edge)
    assert "3 components, full" in shown.tables[0][0][1]
    assert str(caught[0].message) in shown.text


def test_a_plan_says_what_its_text_does():
    planned = plan(X, 3)
    facts = page(planned).tables[0]
    assert "% of the" in facts[0][1]
    for name, value in facts[1:]:
        assert re.search(rf"^{re.escape(name)} +{re.escape(value)}$", str(planned), re.MULTILINE)


def test_texts_of_results_are_short():
    planned = plan(X, 3)
    assert re.fullmatch(r"<Plan: 1 batch, a process takes at most [\d.]+ MB; .*>", repr(planned))
    row = TABLE["status"].index("fitted")
    one = {name: values[row : row + 1] for name, values in TABLE.items()}
    size, kind = one["n_components"][0], one["covariance_type"][0]
    assert repr(Sweep(one, [None])) == (
        f"Sweep(1 model of {size} components, {kind}; best by bic: {size} {kind})"
    )


def test_settings_of_scikit_learn_hold():
    found = Sweep(TABLE, [None] * 5)
    with sklearn.config_context(display="text"):
        assert not hasattr(FITTED, "_repr_html_")
        assert set(FITTED._repr_mimebundle_()) == {"text/plain"}
        assert found._repr_html_() is plan(X, 3)._repr_html_() is None
    assert set(FITTED._repr_mimebundle_()) == {"text/plain", "text/html"}
    for unfitted in (GaussianMixture(3), GaussianMixtureClassifier()):
        assert "sk-estimator" in unfitted._repr_html_()
    pipeline = make_pipeline(StandardScaler(), GaussianMixture(2, random_state=0))
    assert "sk-estimator" in pipeline.fit(X)._repr_html_()


def test_a_curve_leaves_out_what_is_not_finite():
    assert curve([1.0], "one") == curve([np.nan, 1.0, np.inf], "one") == ""
    drawn = curve([0.0, np.nan, 1.0, 1e308, -1e308], "<a>", ends=("low", "high"), ring=0)
    assert "&lt;a&gt;" in drawn
    (points,) = re.findall(r'points="(.*?)"', drawn)
    assert len(points.split()) == 4
    assert "nan" not in points
    assert drawn.count("<circle") == 5


def test_a_curve_of_rounding_is_flat():
    drawn = curve([574.0178001, 574.0178, 574.0178], "BIC", ends=("574.0178", "574.0178"))
    (points,) = re.findall(r'points="(.*?)"', drawn)
    assert len({point.split(",")[1] for point in points.split()}) == 1
    assert drawn.count("574.0178") == 1
