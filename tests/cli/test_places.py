"""No command writes to what it reads, under whatever name, nor two things to one place."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from daskgmm.errors import SettingError
from daskgmm.models.model_file import load_model


@pytest.fixture
def inputs(folder, rows, model):
    """Links and other spellings of the data and the model, in the working directory."""
    np.save("weights.npy", np.ones(len(rows)))
    (folder / "link.json").symlink_to("model.json")
    (folder / "data.npy").symlink_to("rows.npy")
    (folder / "parts").mkdir()
    pq.write_table(pa.table({"a": rows[:, 0], "b": rows[:, 1]}), "parts/0.parquet")
    (folder / "cluster.yaml").write_text("n_workers: 1\n")
    return folder


def bytes_of(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


FIT = ("fit", "rows.npy", "-k", 2, "--max-iter", 2, "--overwrite")
SWEEP = ("sweep", "rows.npy", "-k", "1-2", "--max-iter", 2, "--overwrite")
ADAPT = ("adapt", "model.json", "rows.npy", "--overwrite")


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ((*ADAPT, "-o", "model.json"), ["--out model.json is MODEL"]),
        ((*ADAPT, "-o", "./parts/../model.json"), ["is MODEL"]),
        ((*ADAPT, "-o", "link.json"), ["is MODEL"]),
        (("adapt", "link.json", "rows.npy", "-o", "model.json", "--overwrite"), ["is MODEL"]),
        (("sample", "model.json", "--rows", 9, "-o", "link.json", "--overwrite"), ["is MODEL"]),
        ((*ADAPT, "-o", "data.npy"), ["--out data.npy is DATA"]),
        (("merge", "link.json", "rows.npy", "-o", "model.json", "--overwrite"), ["is MODEL"]),
        (("predict", "model.json", "rows.zarr", "-o", "model.json", "--overwrite"), ["is MODEL"]),
        ((*FIT, "-o", "rows.npy"), ["--out rows.npy is DATA"]),
        ((*FIT, "-o", "m.json", "--checkpoint", "data.npy"), ["--checkpoint data.npy is DATA"]),
        ((*FIT, "-o", "m.json", "--log-json", "rows.npy"), ["--log-json rows.npy is DATA"]),
        ((*FIT, "-o", "m.json", "--checkpoint", "m.json"), ["--out and --checkpoint", "same"]),
        (
            (*FIT, "-o", "m.json", "--weights", "weights.npy", "--log-json", "weights.npy"),
            ["--log-json weights.npy is --weights"],
        ),
        (
            ("fit", "rows.zarr", "-k", 2, "-o", "m.json", "--log-json", "rows.zarr/zarr.json"),
            ["in DATA"],
        ),
        (
            ("fit", "parts/*.parquet", "-k", 2, "-o", "m.json", "--log-json", "parts/0.parquet"),
            ["is DATA"],
        ),
        ((*SWEEP, "-o", "best.json", "--plot", "data.npy"), ["--plot data.npy is DATA"]),
        ((*SWEEP, "-o", "best.json", "--log-json", "rows.npy"), ["is DATA"]),
        (
            (*FIT, "-o", "cluster.yaml", "--cluster", "slurm", "--cluster-options", "cluster.yaml"),
            ["is --cluster-options"],
        ),
    ],
)
def test_inputs_stay_as_they_are(inputs, call, command, words):
    before = bytes_of(inputs)
    refused = call(*command)
    assert refused.exit_code == 2, refused.output
    for word in words:
        assert word in refused.stderr
    assert bytes_of(inputs) == before


def test_json_of_others_is_no_model(inputs, call):
    (inputs / "map.geojson").write_text('{"type": "FeatureCollection"}')
    before = bytes_of(inputs)
    for place in ("rows.zarr/zarr.json", "map.geojson"):
        refused = call("fit", "rows.zarr", "-k", 2, "-o", place, "--overwrite")
        assert refused.exit_code == 1
        assert "is not a model file" in refused.stderr
    assert bytes_of(inputs) == before


def test_models_are_replaced_torn_ones_and_those_in_another_layout_too(inputs, call):
    whole = (inputs / "model.json").read_text()
    laid_out = json.dumps(json.loads(whole), sort_keys=True)
    for content in ("", whole[:5], whole[:300], laid_out, whole):
        (inputs / "old.json").write_text(content)
        done = call("adapt", "model.json", "rows.npy", "-o", "old.json", "--overwrite")
        assert done.exit_code == 0, done.output
        assert load_model("old.json").n_components == 3


def test_a_log_begins_with_the_first_event(inputs, call):
    """A refused command leaves none; one that cannot be made is refused at once."""
    fit = ("fit", "rows.zarr", "-k", 2, "-o", "new.json", "--log-json")
    before = bytes_of(inputs)
    assert call(*fit, "events.jsonl", "--covariance", "factor").exit_code == 2
    assert call(*fit, "events.jsonl", "--columns", "a").exit_code != 0
    missing = call(*fit, "no/events.jsonl")
    assert missing.exit_code == 2
    assert "'no/events.jsonl': No such file or directory" in missing.stderr
    assert bytes_of(inputs) == before
    assert call(*fit, "events.jsonl").exit_code == 0
    once = (inputs / "events.jsonl").read_text().splitlines()
    assert call(*fit, "events.jsonl", "--overwrite").exit_code == 0
    twice = (inputs / "events.jsonl").read_text().splitlines()
    assert twice[: len(once)] == once
    assert len(twice) == 2 * len(once) > 0


@pytest.mark.parametrize("name", ["new.npy", "new.NPZ", "new.zarr", "new.parquet", "new.pkl"])
def test_model_files_are_not_named_as_another_format(inputs, call, name):
    before = bytes_of(inputs)
    with pytest.raises(SettingError, match=f"{name} ends in"):
        load_model("model.json").save(name)
    refused = call("fit", "rows.zarr", "-k", 2, "-o", name, "--log-json", "events.jsonl")
    assert refused.exit_code != 0
    assert "a model file is JSON. Name it otherwise, such as model.json." in refused.stderr
    assert bytes_of(inputs) == before


@pytest.mark.parametrize(
    ("outputs", "words"), [("lable", "outputs names 'lable'"), ("latent", "ppca")]
)
def test_wrong_outputs_are_refused_before_the_data_are_opened(inputs, call, outputs, words):
    refused = call(
        "predict", "model.json", "absent.zarr/rows", "-o", "p.zarr", "--outputs", outputs
    )
    assert refused.exit_code != 0
    assert words in refused.stderr
    assert "absent.zarr/rows" not in refused.stderr
