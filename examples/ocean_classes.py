"""
Classes of ocean profiles, as a map
===================================

Each point of (time, lat, lon) is a row: temperature and salinity at every depth. The
profiles are classified on their grid, land included, and the classes are returned on
the same grid.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr

from daskgmm import GaussianMixture, plot

# %%
# Warm and cold water are separated by a moving front, and rain makes water fresher.
# Land is missing.

depth = np.array([0.0, 50.0, 100.0, 200.0, 400.0, 800.0])
lat, lon = np.arange(-59.0, 60.0, 2.0), np.arange(0.0, 360.0, 4.0)
random = np.random.default_rng(0)
shape = (4, len(lat), len(lon))  # four months
front = 35 + 6 * np.sin(np.deg2rad(3 * lon + 40 * np.arange(4)[:, None]))[:, None, :]
poleward = np.abs(lat)[:, None] + random.normal(scale=3, size=shape) - front
cold = 1 / (1 + np.exp(-poleward / 2))
fresh = (np.abs(lat)[:, None] < 12) & (random.random(shape) < 0.7)
profile = np.exp(-depth / 300)
temperature = 2 + (22 - 18 * cold)[..., None] * profile
salinity = 35 - 3.0 * fresh[..., None] * profile
dims = ("time", "lat", "lon", "depth")
ocean = xr.Dataset(
    {
        "temp": (dims, temperature + random.normal(scale=0.5, size=temperature.shape)),
        "salt": (dims, salinity + random.normal(scale=0.4, size=salinity.shape)),
    },
    {
        "time": np.arange("2020-01", "2020-05", dtype="M8[M]").astype("M8[ns]"),
        "lat": ("lat", lat, {"units": "degrees_north"}),
        "lon": ("lon", lon, {"units": "degrees_east"}),
        "depth": ("depth", depth, {"units": "m"}),
    },
)
ocean.temp.attrs["units"], ocean.salt.attrs["units"] = "degC", "1e-3"
coast = 60 + 25 * np.cos(np.deg2rad(2 * ocean.lat))
land = (abs(ocean.lon - 20) < coast / 2) | (abs(ocean.lon - 285) < coast / 3)
folder = TemporaryDirectory()
path = Path(folder.name) / "ocean.zarr"
ocean.where(~land).astype("float32").chunk(time=1).to_zarr(path, consolidated=False)
ocean = xr.open_zarr(path, consolidated=False)

# %%
# Features are standardised and reduced to principal components. Land is left out, and
# each row is weighted by the area of its grid cell.

area = np.cos(np.deg2rad(ocean.lat))
mixture = GaussianMixture(3, missing="drop", standardise=True, pca=0.9, random_state=0)
mixture.fit(ocean[["temp", "salt"]], sample_weight=area, feature_dims=("depth",))
counts = mixture.fitted_on_
print(f"{counts['rows']:,} profiles, {counts['missing']:,} points on land")
names = list(mixture.feature_names_in_)
print(f"{len(names)} features, in {mixture.means_.shape[1]} principal components")
places = [names.index("temp(depth=0)"), names.index("salt(depth=0)")]
surface = mixture.means_in_data_units()[:, places]
print("at the surface:")
for weight, (warmth, salt) in zip(mixture.weights_, surface, strict=True):
    print(f"  {weight:.0%} of the ocean: {warmth:.1f} °C, salinity {salt:.1f}")

# %%
# Labels, posteriors and ambiguities are written from one read, in steps of 1/254.

out = Path(folder.name) / "classes.zarr"
mixture.predict_to_zarr(ocean, out, ["label", "posterior", "ambiguity"], dtype="uint8")
classes = xr.open_zarr(out, consolidated=False)
print(classes)

# %%
# The map of the classes, and the map of their ambiguity, which is 1 where two classes
# are equally probable.

figure, axes = plt.subplots(2, 1, figsize=(7, 4.8), layout="constrained")
upper = plot.label_map(classes.label.isel(time=0), ax=axes[0])
lower = plot.ambiguity_map(classes.ambiguity.isel(time=0), ax=axes[1])

# %%
# Profiles of the classes: medians, and the ranges that hold 50 % and 80 % of the rows.

names = [f"temp(depth={each:g})" for each in depth]
panels = plot.profiles(mixture, names, vertical=True)
plt.show()
folder.cleanup()
