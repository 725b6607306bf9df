"""The options and commands about how passes run: plan, checkpoint, cache, log."""

import json

import numpy as np
import pytest
from distributed import Client, LocalCluster

from daskgmm.models.model_file import load_model


def test_plan(folder, call):
    planned = call("plan", "rows.zarr", "-k", 3, "--cache", "1MB", "--n-init", 2)
    assert planned.exit_code == 0
    facts = dict(line.split("  ", 1) for line in planned.stdout.splitlines() if "  " in line)
    assert facts["rows"].strip() == "3,000 of 3 features, float64"
    assert facts["a pass reads"].strip() == "72 kB"
    assert facts["passes"].strip() == "1 or 2 for the start, then at most 200 iterations"
    assert "threads of this process" in facts["runs on"]


def test_plan_takes_the_settings_of_a_fit(folder, call):
    def thread(*chosen):
        planned = call("plan", "rows.zarr", "-k", 3, *chosen)
        (line,) = [line for line in planned.stdout.splitlines() if "a thread takes" in line]
        return line

    plain = thread()
    for chosen in (["--pca", "2"], ["--standardise"], ["--missing", "drop"]):
        assert thread(*chosen) != plain
    refused = call("plan", "rows.zarr", "-k", 3, "--pca", 4)
    assert "asks for more axes than X has columns, 3" in refused.stderr


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_plan_for_a_cluster_that_is_too_small(folder, call):
    with LocalCluster(
        n_workers=1,
        threads_per_worker=1,
        processes=False,
        memory_limit="100MiB",
        dashboard_address="127.0.0.1:0",
    ) as cluster:
        address = cluster.scheduler_address
        planned = call("plan", "rows.zarr", "-k", 3, "--scheduler", address)
        assert planned.exit_code == 1
        assert "a process takes" in planned.stdout
        assert "may take 83.9 MB of its 105 MB" in planned.stderr
        fitted = call("fit", "rows.zarr", "-k", 3, "--scheduler", address, "-o", "m.json")
        assert fitted.exit_code == 1
        assert "may take 83.9 MB of its 105 MB" in fitted.stderr


@pytest.mark.slow
def test_a_fit_goes_on_from_its_checkpoint(folder, call):
    fit = ("fit", "rows.zarr", "-k", 3, "--tol", 0, "--checkpoint", "fit.ckpt")
    first = call(*fit, "--max-iter", 3, "-o", "short.json")
    assert first.exit_code == 3
    again = call(*fit, "--max-iter", 8, "-o", "long.json")
    assert again.exit_code == 3
    assert again.stderr.splitlines()[0] == "resuming from the checkpoint, after iteration 3"
    assert "iteration 4 " in again.stderr.splitlines()[1]
    call(*fit[:-2], "--max-iter", 8, "-o", "whole.json")
    resumed, whole = load_model("long.json"), load_model("whole.json")
    np.testing.assert_array_equal(resumed.means_, whole.means_)
    refused = call("fit", "rows.zarr", "-k", 4, "--checkpoint", "fit.ckpt", "-o", "m.json")
    assert refused.exit_code == 1
    assert "n_components (--components) was 3 and is 4" in refused.stderr


@pytest.mark.parametrize("target", ["events.jsonl", "-"])
def test_events_as_json_lines(folder, call, target):
    fit = ("fit", "rows.zarr", "-k", 3, "-o", "m.json", "--checkpoint", "c")
    done = call(*fit, "--log-json", target)
    text = done.stdout if target == "-" else (folder / target).read_text()
    events = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    kinds = [event["event"] for event in events]
    assert kinds[0] == "FitStarted"
    assert kinds[-1] == "FitEnded"
    assert {"PassEnded", "Started", "Iterated", "Checkpointed", "Ended"} < set(kinds)
    iterated = [event for event in events if event["event"] == "Iterated"]
    assert iterated[0]["change"] is None  # infinite, which JSON has not
    assert iterated[-1]["lower_bound"] == load_model("m.json").lower_bound_
    assert all(event["rows"] == 3000 and event["nbytes"] == 72_000 for event in iterated)
    assert all("time" in event for event in events)


def test_a_cache_changes_no_bit(folder, call):
    call("fit", "rows.zarr", "-k", 3, "-o", "plain.json")
    assert call("fit", "rows.zarr", "-k", 3, "-o", "m.json", "--cache", "1GiB").exit_code == 0
    np.testing.assert_array_equal(load_model("m.json").means_, load_model("plain.json").means_)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--stall-timeout", "soon"), "--stall-timeout soon is not a time"),
        (("--retries", -1), "--retries"),
    ],
)
def test_wrong_usage(folder, call, options, words):
    refused = call("fit", "rows.zarr", "-k", 3, "-o", "m.json", *options)
    assert refused.exit_code == 2
    assert words in refused.stderr


def test_a_cache_of_no_size(folder, call):
    refused = call("fit", "rows.zarr", "-k", 3, "-o", "m.json", "--cache", "lots")
    assert refused.exit_code == 2
    assert "lots" in refused.stderr
    assert "--cache" in refused.stderr


@pytest.mark.slow
def test_a_scheduler_on_the_command_line_is_used(folder, call):
    with (
        LocalCluster(
            n_workers=1, threads_per_worker=1, processes=False, dashboard_address="127.0.0.1:0"
        ) as cluster,
        Client(cluster, set_as_default=False),
    ):
        planned = call("plan", "rows.zarr", "-k", 3, "--scheduler", cluster.scheduler_address)
        assert "Dask cluster of 1 worker with" in planned.stdout
