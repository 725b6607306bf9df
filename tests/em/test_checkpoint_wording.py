"""A refused checkpoint names settings as users give them, in Python and on the command line."""

import warnings

import numpy as np
import pytest

from daskgmm import BayesianGaussianMixture, GaussianMixture
from daskgmm.em.checkpoints.wording import differences
from daskgmm.errors import CheckpointError
from daskgmm.readers import of_commands

X = np.random.default_rng(0).normal(size=(60, 3)) + 5 * (np.arange(60) % 2)[:, None]
ONES = np.ones(60)


def told(before, after, kind=GaussianMixture):
    """Return what differs between two fits, in both readers' words."""
    found = []

    def fit(settings, path):
        beside = {name: settings[name] for name in ("sample_weight", "labels") if name in settings}
        own = {name: value for name, value in settings.items() if name not in beside}
        asked = {"n_components": 2, "max_iter": 1, "random_state": 0} | own
        kind(**asked).fit(X, checkpoint=path, **beside)

    def differ(path):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            fit(before, path)
            with pytest.raises(CheckpointError) as refused:
                fit(after, path)
        found.append(str(refused.value).split(" of another fit: ")[1].split(". Give the same")[0])

    return differ, found


PLAIN, LABELS = {}, np.r_[0, 1, np.full(58, -1)]

DIFFERENT = [
    (PLAIN, {"pca": 2}, "pca was not given and is 2", "pca (--pca) was not given and is 2"),
    (PLAIN, {"missing": "drop"}, "missing was 'error' and is 'drop'", "(--missing) was error and"),
    ({"missing": "marginalise"}, PLAIN, "missing was 'marginalise' and is 'error'", "marginalise"),
    ({"acceleration": None}, PLAIN, "acceleration was None and is 'auto'", "was none and is auto"),
    (PLAIN, {"noise": True}, "noise was False and is True", "(--noise) was not given and is given"),
    ({"tails": "t"}, PLAIN, "tails was 't' and is not given", "(--tails) was t and is not given"),
    (PLAIN, {"prior": "conjugate"}, "prior was not given and is 'conjugate'", "is conjugate"),
    (PLAIN, {"equal_weights": True}, "equal_weights was False and is True", "is given"),
    (
        PLAIN,
        {"covariance_type": "ppca", "n_factors": 1},
        "covariance_type was 'full' and is 'ppca'; n_factors was not given and is 1",
        "was full and is ppca",
    ),
    (PLAIN, {"n_init": 2}, "n_init was 1 and is 2", "n_init was 1 and is 2"),
    (
        PLAIN,
        {"random_state": 1},
        "random_state was 0 and is 1",
        "random_state was 0 and is 1",
    ),
    (
        PLAIN,
        {"random_state": None},
        "random_state was 0 and is not given",
        "random_state was 0 and is not given",
    ),
    (
        PLAIN,
        {"random_state": np.random.RandomState(1)},
        "random_state: other than before",
        "random_state: other than before",
    ),
    (
        {"sample_weight": ONES},
        PLAIN,
        "sample_weight was given and is not given now",
        "sample_weight was given and is not given now",
    ),
    ({"labels": LABELS}, PLAIN, "labels was given and is not given now", "(--labels) was given"),
    (
        {"sample_weight": ONES},
        {"sample_weight": 2 * ONES},
        "values of X or sample_weight: other than before",
        "values of X or sample_weight: other than before",
    ),
]


@pytest.mark.parametrize(("before", "after", "python", "typed"), DIFFERENT)
def test_settings_are_named_as_they_are_given(before, after, python, typed, tmp_path):
    differ, found = told(before, after)
    differ(tmp_path / "python")
    with of_commands():
        differ(tmp_path / "typed")
    assert found[0] == python
    assert typed in found[1]
    assert not {"null", "true", "false", '"'} & set(" ".join(found).split())


def test_those_of_a_posterior_too(tmp_path):
    settings = {"weight_concentration_prior": 0.1}, {"weight_concentration_prior": None}
    differ, found = told(*settings, BayesianGaussianMixture)
    differ(tmp_path / "c")
    assert found == ["weight_concentration_prior was 0.1 and is not given"]


def test_values_that_differ_because_of_a_setting_are_not_told_as_well():
    before = {"drop_missing": True, "marginalise": True, "columns of X": 4, "values of X": "a"}
    assert differences(before, {**before, "marginalise": False, "values of X": "b"}) == (
        "missing was 'marginalise' and is 'drop'"
    )
    found = differences(before, {**before, "columns of X": 3, "values of X": "b"})
    assert found == "columns of X was 4 and is 3"
    assert "values of X" in differences(before, {**before, "values of X": "b"})


def test_a_seed_is_told_and_not_compared():
    """Checkpoints of earlier versions have none, and a generator of the same seed is the same."""
    before = {"random_state": "sha256:a", "seed": 0, "tol": 1e-3}
    assert differences(before, {**before, "tol": 1e-4}) == "tol was 0.001 and is 0.0001"
    earlier = {name: value for name, value in before.items() if name != "seed"}
    assert differences(earlier, {**before, "tol": 1e-4}) == "tol was 0.001 and is 0.0001"
    other = {**before, "random_state": "sha256:b", "seed": 1}
    assert differences(earlier, other) == "random_state: other than before"


def test_a_generator_goes_on_where_its_seed_was_given(tmp_path):
    asked = {"n_components": 2, "max_iter": 1}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        GaussianMixture(**asked, random_state=0).fit(X, checkpoint=tmp_path / "c")
        again = GaussianMixture(**asked, random_state=np.random.RandomState(0))
        again.fit(X, checkpoint=tmp_path / "c")
    assert again.n_iter_ == 1
