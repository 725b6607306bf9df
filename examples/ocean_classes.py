"""Labelled arrays: classes of ocean profiles, from a grid with land to labels on the same grid.

    python examples/ocean_classes.py [--rows 200000] [--folder FOLDER]

Each point of (time, lat, lon) is a row; the features are temperature and salinity at every depth,
standardised and reduced to principal components. Needs daskgmm[xarray].
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
import xarray as xr

from daskgmm import GaussianMixture

DEPTHS = np.array([0.0, 50.0, 100.0, 200.0, 400.0, 800.0])
LATITUDES, LONGITUDES = np.arange(-59.0, 60.0, 2.0), np.arange(0.0, 360.0, 4.0)


def write_ocean(path: Path, times: int) -> None:
    """Write warm, cold and fresh water, month after month; a fifth of the globe is land."""
    random = np.random.default_rng(0)
    shape = (times, len(LATITUDES), len(LONGITUDES))
    cold = np.abs(LATITUDES)[None, :, None] + random.normal(scale=8, size=shape) > 35
    fresh = (random.random(shape) < 0.2) & ~cold
    profile = np.exp(-DEPTHS / 300)
    temperature = 2 + np.where(cold, 4, 22)[..., None] * profile
    salinity = 35 - 3.0 * fresh[..., None] * profile
    dims = ("time", "lat", "lon", "depth")
    ocean = xr.Dataset(
        {
            "temp": (dims, temperature + random.normal(scale=0.5, size=temperature.shape)),
            "salt": (dims, salinity + random.normal(scale=0.1, size=salinity.shape)),
        },
        {
            "time": np.datetime64("2020-01", "ns") + 30 * np.arange(times) * np.timedelta64(1, "D"),
            "lat": LATITUDES,
            "lon": LONGITUDES,
            "depth": DEPTHS,
        },
    )
    land = np.random.default_rng(1).random(shape[1:]) < 0.2
    ocean = ocean.where(~xr.DataArray(land, dims=("lat", "lon")))
    ocean.temp.attrs["units"], ocean.salt.attrs["units"] = "degC", "1e-3"
    ocean.astype("float32").chunk(time=2).to_zarr(path, consolidated=False)


def main(rows: int, folder: Path) -> None:
    write_ocean(folder / "ocean.zarr", max(2, rows // (len(LATITUDES) * len(LONGITUDES))))
    ocean = xr.open_zarr(folder / "ocean.zarr", consolidated=False)
    area = np.cos(np.deg2rad(ocean.lat))

    mixture = GaussianMixture(3, missing="drop", standardise=True, pca=0.95, random_state=0)
    mixture.fit(ocean[["temp", "salt"]], sample_weight=area, feature_dims=("depth",))
    print(f"{mixture.fitted_on_['rows']} profiles, {mixture.fitted_on_['missing']} points on land")
    names = list(mixture.feature_names_in_)
    print(f"{len(names)} features, in {mixture.means_.shape[1]} principal components")

    places = [names.index("temp(depth=0)"), names.index("salt(depth=0)")]
    surface = mixture.means_in_data_units()[:, places]
    for weight, (temperature, salinity) in zip(mixture.weights_, surface, strict=True):
        print(f"  {weight:.0%} of the ocean: {temperature:.1f} degC, {salinity:.1f} at the surface")

    out = folder / "classes.zarr"
    mixture.predict_to_zarr(ocean, out, ["label", "posterior", "ambiguity"], dtype="uint8")
    classes = xr.open_zarr(out, consolidated=False)
    assert classes.label.chunks == ocean.temp.isel(depth=0).chunks
    print(classes.label.isel(time=0).sel(lat=[-41, 1, 41], lon=[0, 120, 240]).to_dataframe())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        main(options.rows, options.folder or Path(temporary))
