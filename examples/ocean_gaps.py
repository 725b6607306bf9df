"""
Gaps of ocean profiles, filled
==============================

Each profile holds temperature and salinity at eight depths. A third of the casts end
at 150 m, a fifth have no salinity, and single values are missing. The mixture is
fitted to the incomplete profiles and fills each gap with its expected value.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr

from daskgmm import GaussianMixture

DEPTHS = np.array([0.0, 25.0, 50.0, 100.0, 150.0, 300.0, 500.0, 800.0])
N = 4_000

# %%
# There are two kinds of water. The depth and the temperature of the warm layer
# determine the values below it.

random = np.random.default_rng(0)
warm = (random.random(N) < 0.6)[:, None]
layer = np.where(warm, 250.0, 90.0) * np.exp(0.2 * random.normal(size=(N, 1)))
surface = np.where(warm, 20.0, 8.0) + 1.5 * random.normal(size=(N, 1))
decay = np.exp(-((DEPTHS / layer) ** 1.5))
temperature = 3.0 + (surface - 3.0) * decay + 0.2 * random.normal(size=(N, len(DEPTHS)))
salinity = (
    34.6 + 0.09 * (temperature - 3.0) + 0.05 * random.normal(size=(N, len(DEPTHS)))
)
dims = ("cast", "depth")
whole = xr.Dataset(
    {"temp": (dims, temperature), "salt": (dims, salinity)}, {"depth": DEPTHS}
)

# %%
# The profiles as instruments deliver them.

shallow = xr.DataArray(random.random(N) < 1 / 3, dims="cast") & (whole.depth > 150)
lost = {name: shallow | (random.random((N, len(DEPTHS))) < 0.03) for name in whole}
lost["salt"] = lost["salt"] | xr.DataArray(random.random(N) < 0.2, dims="cast")
folder = TemporaryDirectory()
path = Path(folder.name) / "casts.zarr"
whole.where(~xr.Dataset(lost)).chunk(cast=2000).to_zarr(path, consolidated=False)
seen = xr.open_zarr(path, consolidated=False)

# %%
# A common alternative is to fill each column with its mean. The error of that is
# seven to ten times as large.

mixture = GaussianMixture(4, missing="marginalise", standardise=True, random_state=0)
mixture.fit(seen, feature_dims=("depth",))
out = Path(folder.name) / "filled.zarr"
mixture.predict_to_zarr(seen, out, ["imputed"], dtype="float64")
filled = xr.open_zarr(out, consolidated=False).imputed.to_numpy()
names = list(mixture.feature_names_in_)
for name, unit in (("temp", "degC"), ("salt", "g/kg")):
    columns = [names.index(f"{name}(depth={depth:g})") for depth in DEPTHS]
    true, gaps = whole[name].to_numpy(), seen[name].isnull().to_numpy()
    gaps &= ~np.isnan(filled[:, columns])  # casts without any value stay missing
    means = np.broadcast_to(seen[name].mean("cast").to_numpy(), true.shape)
    by_mixture, by_means = (
        np.sqrt(np.mean((each - true)[gaps] ** 2))
        for each in (filled[:, columns], means)
    )
    print(f"{name}: {gaps.mean():.0%} missing")
    print(
        f"  filled values are off by {by_mixture:.2f} {unit}, means by {by_means:.2f}"
    )

# %%
# Casts that end at 150 m: the measured, the filled and the true values.

deep = seen.temp.isel(depth=slice(5, None)).isnull().all("depth").to_numpy()
order = [names.index(f"temp(depth={depth:g})") for depth in DEPTHS]
figure, grid = plt.subplots(1, 5, sharey=True, figsize=(10, 3.6), layout="constrained")
for axes, cast in zip(grid, np.flatnonzero(deep), strict=False):
    axes.plot(whole.temp[cast], DEPTHS, color="0.75", linewidth=4, label="true")
    axes.plot(filled[cast, order], DEPTHS, "o--", color="#d55e00", label="filled")
    axes.plot(seen.temp[cast], DEPTHS, "o-", color="#0072b2", label="measured")
    axes.set_xlabel("temperature (°C)")
grid[0].set_ylabel("depth (m)")
grid[0].invert_yaxis()
grid[-1].legend(fontsize=8)
plt.show()
folder.cleanup()
