"""
Anomalies of sensors, as probabilities
======================================

A machine idles, runs, or runs at full load. Its load, temperature and vibration are
correlated. A mixture fitted to healthy days gives each new reading a rank: the
probability of a reading at least as rare. An alarm at rank 1e-4 is therefore raised
once in 10,000 healthy minutes, whatever the sensors and their units. Regression on
the other sensors shows which sensor is wrong and what it should have read.
"""

import matplotlib.pyplot as plt
import numpy as np

from daskgmm import GaussianMixture

SENSORS = ["load (%)", "temperature (°C)", "vibration (mm/s)"]
ALARM, DAY = 1e-4, 24 * 60
STATES = np.array([[5.0, 1.5, 1.0], [55.0, 9.0, 2.0], [92.0, 2.5, 3.0]])

# %%
# One row per minute.


def readings(rows: int, seed: int) -> np.ndarray:
    """Return load, temperature and vibration of a healthy machine, (n, 3)."""
    random = np.random.default_rng(seed)
    spells = random.choice(3, rows // 30 + 1, p=[0.3, 0.5, 0.2])
    mean, spread, noise = STATES[np.repeat(spells, 30)[:rows]].T
    load = random.normal(mean, spread)
    temperature = 30 + 0.45 * load + random.normal(0, noise)
    vibration = np.exp(0.011 * load + random.normal(0, 0.12, rows))
    return np.column_stack([load, temperature, vibration])


healthy, new, day = map(readings, (50_000, 50_000, DAY), range(3))

# %%
# One day has three faults. Hardly any reading leaves the normal range of its sensor.

bearing, cooling, stuck = slice(300, 330), slice(700, 740), slice(1100, 1120)
faults = {"bearing": bearing, "cooling": cooling, "stuck": stuck}
day[bearing, 2] *= 1.9
day[cooling, 1] += np.linspace(6, 18, 40)
day[stuck, :2] = 74.0, 44.0

# %%
# Healthy minutes that the fit has not seen have the expected distribution of ranks.

mixture = GaussianMixture(8, random_state=0, max_iter=500).fit(healthy)
ranks, scores = (mixture.density_rank(x, n_drawn=200_000) for x in (new, day))
for level in (1e-2, 1e-3):
    print(f"healthy minutes below {level:g}: {(ranks < level).mean():.2g}")
print(f"alarms: {(scores < ALARM).sum()} of {DAY} minutes")

# %%
# The worst minute of each fault: which sensor is farthest from its prediction?

for name, when in faults.items():
    row = day[when.start + int(scores[when].argmin())]
    told = [mixture.regress(np.delete(row, i)[None], targets=i) for i in range(3)]
    off = [(row[i] - t.mean[0]) ** 2 / t.variance[0] for i, t in enumerate(told)]
    worst = int(np.argmax(off))
    said = f"{name:>8}: alarms in {(scores[when] < ALARM).mean():.0%} of its minutes;"
    print(f"{said} {SENSORS[worst]} is {row[worst]:.1f}, not {told[worst].mean[0]:.1f}")

# %%
# The ranks of the day, and the temperature that load and vibration predict.

figure, axes = plt.subplots(2, 1, figsize=(9, 6), layout="constrained")
axes[0].semilogy(scores, linewidth=0.6)
axes[0].axhline(ALARM, color="#d55e00", linestyle="--", linewidth=1)
axes[0].set(xlabel="minute", ylabel="rank and alarm", ylim=(1e-6, 5), xlim=(0, DAY))
found = mixture.regress(np.delete(day, 1, axis=1), targets=1)
band, minutes = 3 * np.sqrt(found.variance), np.arange(DAY)
low, high = found.mean - band, found.mean + band
axes[1].fill_between(minutes, low, high, alpha=0.4, label="3 standard deviations")
axes[1].plot(minutes, day[:, 1], color="black", linewidth=0.6, label="measured")
axes[1].set(xlabel="minute", ylabel=SENSORS[1], xlim=(650, 800), ylim=(20, 110))
axes[1].legend(loc="upper left")
for name, when in faults.items():
    axes[0].axvspan(when.start, when.stop, color="#e69f00", alpha=0.3)
    axes[0].text(when.start, 1.4, name)

# %%
# The regions that hold 50 %, 90 % and 99.9 % of the healthy minutes.

plane = mixture.marginal([0, 1])
grid = np.meshgrid(np.linspace(-5, 105, 200), np.linspace(20, 105, 200))
heights = plane.score_samples(np.stack(grid, axis=-1).reshape(-1, 2)).reshape(200, 200)
masses = (0.999, 0.9, 0.5)
levels = [plane.density_level(mass).log_density for mass in masses]
figure, axes = plt.subplots(figsize=(6, 4.5), layout="constrained")
lines = axes.contour(*grid, heights, levels, cmap="viridis")
rings = scores < ALARM
axes.scatter(*day[:, :2].T, 1 + 9 * rings, np.where(rings, "#d55e00", "gray"))
axes.legend(lines.legend_elements()[0], [f"{mass:.1%} of the rows" for mass in masses])
axes.set(xlabel=SENSORS[0], ylabel=SENSORS[1])
plt.show()
