"""Missing values: ocean profiles with gaps are fitted as they are, and filled.

    python examples/ocean_gaps.py [--rows 200000] [--folder FOLDER] [--picture gaps.png]

Each profile is temperature and salinity at eight depths. A third of the casts ends at 150 m, a
fifth has no salinity, and single values are missing. Needs daskgmm[xarray]; a picture needs
matplotlib.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
import xarray as xr

from daskgmm import GaussianMixture

DEPTHS = np.array([0.0, 25.0, 50.0, 100.0, 150.0, 300.0, 500.0, 800.0])


def profiles(n: int) -> xr.Dataset:
    """Return whole profiles of two kinds of water, which differ at the surface and below."""
    random = np.random.default_rng(0)
    warm = (random.random(n) < 0.6)[:, None]
    # How deep the warm layer goes, and how warm it is, tell of the values below it.
    depth = np.where(warm, 250.0, 90.0) * np.exp(0.2 * random.normal(size=(n, 1)))
    surface = np.where(warm, 20.0, 8.0) + 1.5 * random.normal(size=(n, 1))
    decay = np.exp(-((DEPTHS / depth) ** 1.5))
    temperature = 3.0 + (surface - 3.0) * decay + 0.2 * random.normal(size=(n, len(DEPTHS)))
    salinity = 34.6 + 0.09 * (temperature - 3.0) + 0.05 * random.normal(size=(n, len(DEPTHS)))
    dims = ("cast", "depth")
    values = {"temp": (dims, temperature), "salt": (dims, salinity)}
    return xr.Dataset(values, {"depth": DEPTHS})


def with_gaps(whole: xr.Dataset) -> xr.Dataset:
    """Return the profiles as instruments deliver them."""
    random = np.random.default_rng(1)
    n = whole.sizes["cast"]
    shallow = xr.DataArray(random.random(n) < 1 / 3, dims="cast") & (whole.depth > 150)
    lost = {
        name: shallow | xr.DataArray(random.random((n, len(DEPTHS))) < 0.03, dims=("cast", "depth"))
        for name in whole
    }
    lost["salt"] = lost["salt"] | xr.DataArray(random.random(n) < 0.2, dims="cast")
    return whole.where(~xr.Dataset(lost))


def draw(path: Path, whole: xr.Dataset, seen: xr.Dataset, filled: np.ndarray) -> None:
    """Draw some casts that end at 150 m: what was measured, what was filled, what is true."""
    import matplotlib.pyplot as plt

    deep = (seen.temp.isel(depth=slice(5, None)).isnull().all("depth")).to_numpy()
    axes = plt.subplots(1, 6, sharey=True, figsize=(12, 4))[1]
    for axis, cast in zip(axes, np.flatnonzero(deep), strict=False):
        axis.plot(whole.temp[cast], DEPTHS, color="0.7", lw=4, label="true")
        axis.plot(filled[cast, : len(DEPTHS)], DEPTHS, "o--", color="C1", label="filled")
        axis.plot(seen.temp[cast], DEPTHS, "o-", color="C0", label="measured")
        axis.set(xlabel="temperature (degC)")
    axes[0].set(ylabel="depth (m)")
    axes[0].invert_yaxis()
    axes[-1].legend()
    plt.tight_layout()
    plt.savefig(path)


def main(rows: int, folder: Path, picture: Path | None) -> None:
    whole = profiles(rows)
    with_gaps(whole).chunk(cast=20_000).to_zarr(folder / "casts.zarr", consolidated=False)
    seen = xr.open_zarr(folder / "casts.zarr", consolidated=False)

    mixture = GaussianMixture(4, missing="marginalise", standardise=True, random_state=0)
    mixture.fit(seen, feature_dims=("depth",))
    print(f"{mixture.fitted_on_['rows']} casts, a mixture of {len(mixture.weights_)} components")

    out = folder / "filled.zarr"
    mixture.predict_to_zarr(seen, out, ["imputed"], dtype="float64")
    filled = xr.open_zarr(out, consolidated=False).imputed.to_numpy()
    names = list(mixture.feature_names_in_)
    for name, unit in (("temp", "degC"), ("salt", "g/kg")):
        columns = [names.index(f"{name}(depth={depth:g})") for depth in DEPTHS]
        true, gaps = whole[name].to_numpy(), seen[name].isnull().to_numpy()
        gaps &= ~np.isnan(filled[:, columns])
        means = np.broadcast_to(seen[name].mean("cast").to_numpy(), true.shape)
        errors = [
            np.sqrt(np.mean((each - true)[gaps] ** 2)) for each in (filled[:, columns], means)
        ]
        filled_by, means_by = (f"{error:.2f} {unit}" for error in errors)
        print(f"  {name}: {gaps.mean():.0%} missing; filled values are off by {filled_by},")
        print(f"        means of columns by {means_by}")
        assert errors[0] < 0.5 * errors[1]
    if picture is not None:
        order = [names.index(f"temp(depth={depth:g})") for depth in DEPTHS]
        draw(picture, whole, seen, filled[:, order])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--picture", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        main(options.rows, options.folder or Path(temporary), options.picture)
