"""What a card says of where the data were, and what it must not say."""

import numpy as np
import pandas as pd
import xarray as xr
import zarr

from daskgmm import GaussianMixture, open_data, open_parquet
from daskgmm.models.inputs.source_name import source_name


def test_paths(tmp_path):
    x = np.random.default_rng(0).normal(size=(60, 2))
    array = zarr.create_array(tmp_path / "x.zarr", data=x, chunks=(20, 2))
    np.save(tmp_path / "x.npy", x)
    pd.DataFrame(x, columns=["a", "b"]).to_parquet(tmp_path / "x.parquet")
    xr.Dataset({"a": ("row", x[:, 0])}).to_zarr(tmp_path / "g.zarr", consolidated=False)
    for name, given in {
        "x.zarr": array,
        "x.npy": open_data(tmp_path / "x.npy"),
        "x.parquet": open_parquet(tmp_path / "x.parquet", ["a"]),
        "g.zarr": xr.open_zarr(tmp_path / "g.zarr", consolidated=False),
    }.items():
        assert source_name(given) == str(tmp_path / name)
        assert GaussianMixture(1).fit(given).fitted_on_["source"] == str(tmp_path / name)
    assert source_name(x) is None


def test_no_secrets():
    assert source_name("s3://bucket/x.zarr?token=abc") == "s3://bucket/x.zarr"
    assert source_name("https://user:password@host/x.zarr") == "https://host/x.zarr"
    assert source_name("https://user:p@ss@host/x.zarr#token=abc") == "https://host/x.zarr"


def test_an_at_sign_in_a_path_stays():
    assert source_name("s3://bucket/run@home/x.zarr") == "s3://bucket/run@home/x.zarr"
    assert source_name("s3://me@bucket/run@home/x.zarr") == "s3://bucket/run@home/x.zarr"


def test_urls_that_go_through_one_another():
    assert source_name("simplecache::file:///data/x.zarr") == "simplecache::file:///data/x.zarr"
    assert source_name("simplecache::https://me:word@h/x?token=a::b") == "simplecache::https://h/x"
    assert source_name("zip://x.csv::https://me:word@h/x.zip") == "zip://x.csv::https://h/x.zip"
