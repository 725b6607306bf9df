"""A checkpoint names what the bits of a fit depend on, and a fit that goes on elsewhere warns."""

import json
import warnings

import numpy as np
import pytest

from daskgmm import GaussianMixture
from daskgmm.em.checkpoints.checkpoint import digest_of
from daskgmm.passes.executors.environment import targets

X = np.random.default_rng(0).normal(size=(400, 2))
SETTINGS = {"n_components": 2, "tol": 0.0, "n_init": 1, "random_state": 0}

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture
def path(tmp_path):
    GaussianMixture(max_iter=2, **SETTINGS).fit(X, checkpoint=tmp_path / "fit.json")
    return tmp_path / "fit.json"


def change(path, change):
    document = json.loads(path.read_text())
    del document["sha256"]
    change(document["versions"])
    path.write_text(json.dumps({**document, "sha256": digest_of(document)}))


def test_the_instructions_of_the_cpu_are_told():
    found = targets()
    assert found["NumPy's instructions"] in [
        *np.show_config(mode="dicts")["SIMD Extensions"]["baseline"],
        *np.show_config(mode="dicts")["SIMD Extensions"]["found"],
    ]
    assert found["BLAS's instructions"]


def test_on_another_cpu_bits_are_not_promised(path):
    change(path, lambda versions: versions.update({"NumPy's instructions": "X86_V1"}))
    with pytest.warns(UserWarning, match=r"instructions X86_V1.*not necessarily to the same bits"):
        GaussianMixture(max_iter=3, **SETTINGS).fit(X, checkpoint=path)


def test_checkpoints_without_them_go_on_silently(path):
    change(path, lambda versions: [versions.pop(name) for name in targets()])
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        warnings.filterwarnings("ignore", category=UserWarning, message="Best performing")
        GaussianMixture(max_iter=3, **SETTINGS).fit(X, checkpoint=path)


def test_a_model_file_names_them(tmp_path):
    mixture = GaussianMixture(max_iter=2, **SETTINGS).fit(X)
    mixture.save(tmp_path / "model.json")
    written = json.loads((tmp_path / "model.json").read_text())["versions"]
    assert written.items() >= targets().items()


def test_what_an_earlier_version_did_not_keep_is_found_once(path):
    document = json.loads(path.read_text())
    del document["sha256"]
    record = next(each for each in records(document) if "probe" in each)
    record["probe"] = None
    path.write_text(json.dumps({**document, "sha256": digest_of(document)}))
    GaussianMixture(max_iter=3, **SETTINGS).fit(X, checkpoint=path)
    after = json.loads(path.read_text())
    assert next(each for each in records(after) if "probe" in each)["probe"] is not None


def records(document):
    """Yield all objects in a document."""
    if isinstance(document, dict):
        yield document
    for value in document.values() if isinstance(document, dict) else document:
        if isinstance(value, (dict, list)):
            yield from records(value)
