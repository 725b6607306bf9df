"""``daskgmm regress``: the numbers of `regress` on disk."""

import numpy as np
import pandas as pd
import zarr

from daskgmm import GaussianMixture
from daskgmm.models.model_file import save_model


def test_arrays_without_names(model, fitted, rows, call):
    np.save("given.npy", rows[:, 1:])
    done = call("regress", model, "given.npy", "--targets", "0", "--out", "r.zarr",
                "--dtype", "float64")  # fmt: skip
    assert done.exit_code == 0, done.output
    expected = fitted.regress(rows[:, 1:], 0)
    group = zarr.open_group("r.zarr", mode="r")
    np.testing.assert_array_equal(group["mean_0"][:], expected.mean)
    np.testing.assert_array_equal(group["variance_0"][:], expected.variance)
    np.testing.assert_array_equal(group["log_density"][:], expected.log_density)


def test_parquet_without_the_targets(folder, rows, call):
    frame = pd.DataFrame(rows, columns=["a", "b", "c"])
    mixture = GaussianMixture(3, random_state=0).fit(frame)
    save_model(mixture, "named.json")
    frame[["c", "a"]].assign(key=np.arange(len(rows))).to_parquet("t.parquet")
    done = call("regress", "named.json", "t.parquet", "--targets", "b", "--out", "r.parquet",
                "--key", "key", "--dtype", "float64")  # fmt: skip
    assert done.exit_code == 0, done.output
    found = pd.read_parquet("r.parquet")
    assert list(found.columns) == ["key", "mean_b", "variance_b", "log_density"]
    np.testing.assert_array_equal(found["mean_b"], mixture.regress(frame, "b").mean)
    wrong = call("regress", "named.json", "t.parquet", "--targets", "z", "--out", "s.parquet")
    assert wrong.exit_code == 2
    assert "no column 'z'" in wrong.stderr


def test_all_columns_of_an_array_without_names(model, call):
    done = call("regress", model, "rows.npy", "--targets", "2", "--out", "r.zarr")
    assert done.exit_code == 1
    assert "regress takes those that are not targets" in done.stderr
