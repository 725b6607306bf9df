"""Suffixes of files that daskgmm does not read in chunks, and the calls that open them."""

from __future__ import annotations

import os

from daskgmm.readers import remedy
from daskgmm.storage.address import Address

RASTERS = (".tif", ".tiff")
GRIB = (".grib", ".grib2", ".grb", ".grb2")
NETCDF = (".nc", ".nc4", ".cdf", ".h5", ".hdf5", ".he5")

LABELLED = (*NETCDF, *RASTERS, *GRIB)
"""Suffixes of files that xarray opens."""

ENGINES = {
    **dict.fromkeys(RASTERS, "For GeoTIFF install rioxarray"),
    **dict.fromkeys(GRIB, "For GRIB install cfgrib"),
    **dict.fromkeys(NETCDF, "For NetCDF and HDF5 install netCDF4 or h5netcdf"),
}
"""Advice on the package with which xarray opens a file, by its suffix."""

TEXT = ".txt"
SPREADSHEETS = (".xls", ".xlsx", ".ods")

OPENED_WITH = {
    TEXT: "dask.dataframe.read_csv(path)",
    **dict.fromkeys((".json", ".jsonl", ".ndjson"), "dask.dataframe.read_json(path)"),
    **dict.fromkeys((".feather", ".arrow", ".ipc"), "polars.read_ipc(path)"),
    **dict.fromkeys(SPREADSHEETS, "pandas.read_excel(path)"),
    ".orc": "dask.dataframe.read_orc(path)",
    ".npz": "numpy.load(path)['name of the array']",
    ".mat": "scipy.io.loadmat(path)['name of the array']",
}
"""Calls that open other files, by their suffixes."""


def suffix_of(name: str) -> str:
    """Return the suffix of a path or URL in lower case: .csv, also of x.csv.gz."""
    stem, suffix = os.path.splitext(name.rstrip("/").lower())  # noqa: PTH122 -- of URLs too
    return os.path.splitext(stem)[1] if suffix in (".gz", ".bz2", ".zst", ".xz") else suffix  # noqa: PTH122


def how_to_open(address: Address) -> str | None:
    """Return advice on opening a file that is not read in chunks; None for unknown suffixes."""
    suffix = suffix_of(address.url)
    if suffix in LABELLED:
        dims = "('band',)" if suffix in RASTERS else "(...)"
        how = remedy(
            "open it with daskgmm.open_labelled(path), naming variables=[...] where it has "
            f"several, and fit that with feature_dims={dims}",
            "say with --variables and --features what the features are",
        )
        return f"{address} holds labelled arrays: {how}."
    if suffix in OPENED_WITH:
        call = OPENED_WITH[suffix]
        open_it = f"open it with {call} and fit what that returns, or write it to Parquet"
        how = remedy(open_it, _typed(address, suffix))
        return f"{address} is not a file of rows that can be read in chunks: {how}."
    if suffix == ".npy":
        return f"{address} is a .npy file at a URL, and only local ones are mapped: copy it here."
    return None


def _typed(address: Address, suffix: str) -> str:
    """Return what makes a file that the command line reads of one of this suffix."""
    if suffix == TEXT:
        return f"`daskgmm convert {address} --out FILE` writes it to Parquet"
    if suffix in SPREADSHEETS:
        return "save it as CSV in the program that made it"
    return f"open it with {OPENED_WITH[suffix]} in Python, and write it to Parquet"
