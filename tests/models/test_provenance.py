"""Predictions say how they were made: the model, its checksum, the seed, gaps, the features."""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import zarr

from daskgmm import GaussianMixture, GaussianMixtureClassifier, load_model
from daskgmm.models.writers.about import from_parquet, from_zarr, in_parquet

NAMES = ["temp", "salt"]


@pytest.fixture
def mixture() -> GaussianMixture:
    made = GaussianMixture.from_parameters(
        [0.5, 0.5], [[0.0, 0.0], [9.0, 9.0]], [1.0, 1.0], feature_names=NAMES
    )
    return made.set_params(missing="marginalise")


@pytest.fixture
def frame() -> pd.DataFrame:
    rows = np.random.default_rng(0).normal(size=(40, 2))
    rows[3, 1] = np.nan
    return pd.DataFrame(rows, columns=NAMES)


def of_zarr(path: Path) -> dict[str, Any]:
    return from_zarr(dict(zarr.open_group(path, mode="r").attrs))


def of_parquet(path: Path) -> dict[str, Any]:
    (part,) = path.iterdir()
    return from_parquet(pq.read_metadata(part).metadata)


def both(fitted: Any, x: Any, folder: Path, **how: Any) -> dict[str, Any]:
    """Write Zarr and Parquet; return what both say."""
    fitted.predict_to_zarr(x, folder / "p.zarr", overwrite=True, **how)
    fitted.predict_to_parquet(x, folder / "p.parquet", overwrite=True, **how)
    found = of_zarr(folder / "p.zarr")
    assert of_parquet(folder / "p.parquet") == found
    return found


def test_a_model_in_memory(mixture: GaussianMixture, frame: pd.DataFrame, tmp_path: Path) -> None:
    found = both(mixture, frame, tmp_path)
    assert found == {
        "model": "GaussianMixture",
        "model_digest": mixture._predictor().digest,
        "version": version("daskgmm"),
        "missing": "marginalise",
        "features": NAMES,
        "n_features": 2,
    }


def test_a_model_file(mixture: GaussianMixture, frame: pd.DataFrame, tmp_path: Path) -> None:
    file = tmp_path / "m.json"
    mixture.save(file)
    read = load_model(file)
    found = both(read, frame, tmp_path, outputs=("imputed",), random_state=7)
    assert found["model"] == str(file)
    assert found["model_sha256"] == json.loads(file.read_text())["sha256"]
    assert found["random_state"] == 7
    # What becomes of gaps is said beside, and may be another than in the fit.
    assert both(read.set_params(missing="drop"), frame, tmp_path)["missing"] == "drop"


def test_a_model_that_was_changed_is_not_that_of_its_file(
    mixture: GaussianMixture, frame: pd.DataFrame, tmp_path: Path
) -> None:
    mixture.save(tmp_path / "m.json")
    read = load_model(tmp_path / "m.json")
    read.means_[0, 0] = 1.0
    assert both(read, frame, tmp_path)["model"] == "GaussianMixture"
    again = load_model(tmp_path / "m.json").set_params(n_components=1).fit(frame)
    assert "model_sha256" not in both(again, frame, tmp_path)


def test_without_names(tmp_path: Path) -> None:
    mixture = GaussianMixture.from_parameters([1.0], [[0.0, 0.0, 0.0]], [1.0])
    mixture.predict_to_zarr(np.zeros((3, 3)), tmp_path / "p.zarr")
    found = of_zarr(tmp_path / "p.zarr")
    assert (found["n_features"], found["missing"]) == (3, "error")
    assert "features" not in found


def test_a_classifier_with_priors(tmp_path: Path) -> None:
    x = pd.DataFrame({"a": [0.0, 1.3, 0.4, 8.0, 9.1, 8.7]})
    GaussianMixtureClassifier(priors=[0.3, 0.7]).fit(x, [0, 0, 0, 1, 1, 1]).save(
        tmp_path / "c.json"
    )
    read = GaussianMixtureClassifier.load(tmp_path / "c.json")
    assert both(read, x, tmp_path)["model"] == str(tmp_path / "c.json")
    read.class_prior_ = np.array([0.1, 0.9])
    assert both(read, x, tmp_path)["model"] == "GaussianMixtureClassifier"


def test_a_regression(mixture: GaussianMixture, tmp_path: Path) -> None:
    x = pd.DataFrame({"temp": [0.0, 9.0]})
    mixture.regress_to_zarr(x, tmp_path / "r.zarr", "salt")
    mixture.regress_to_parquet(x, tmp_path / "r.parquet", "salt")
    found = of_zarr(tmp_path / "r.zarr")
    assert found == of_parquet(tmp_path / "r.parquet")
    assert (found["model"], found["features"]) == ("GaussianMixture", ["temp"])


def test_a_killed_run_goes_on_with_a_moved_model(
    mixture: GaussianMixture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same mixture from another file is the same model."""
    monkeypatch.setattr("daskgmm.passes.batches.MIN_BATCH_SECONDS", 1e-7)
    rows = np.random.default_rng(0).normal(size=(6000, 2))
    pd.DataFrame(rows, columns=NAMES).to_parquet(tmp_path / "x.parquet", row_group_size=500)
    mixture.save(tmp_path / "a.json")
    mixture.save(tmp_path / "b.json")

    class Killed(BaseException):
        pass

    def kill(done: int, total: int) -> None:
        if done == 3:
            raise Killed

    given = str(tmp_path / "x.parquet"), tmp_path / "p.parquet"
    with pytest.raises(Killed):
        load_model(tmp_path / "a.json").predict_to_parquet(*given, progress=kill)
    done: list[int] = []
    load_model(tmp_path / "b.json").predict_to_parquet(
        *given, progress=lambda now, total: done.append(now)
    )
    assert 0 < len(done) < 12
    said = {
        from_parquet(pq.read_metadata(part).metadata)["model"]
        for part in (tmp_path / "p.parquet").iterdir()
    }
    assert said == {str(tmp_path / "a.json"), str(tmp_path / "b.json")}


def test_texts_that_look_like_numbers_stay_texts() -> None:
    facts = {"model": "17", "version": "0.10", "missing": "drop", "random_state": 3}
    assert from_parquet(in_parquet(facts)) == facts


def test_metadata_that_lie_are_shown_as_they_are() -> None:
    lies = {b"daskgmm.features": b"[", b"daskgmm.random_state": b"\xff", b"daskgmm.model": b"\xff"}
    assert from_parquet(lies) == {"model": "\ufffd", "random_state": "\ufffd", "features": "["}
