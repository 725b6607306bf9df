"""Anomalies in sensor data: scores that are probabilities, and what a sensor should have read.

A machine idles, runs and runs at full load; load, temperature and vibration belong together. A
mixture of healthy days tells how probable readings as rare as each new one are. So an alarm at
1e-4 rings once in 10,000 healthy minutes, whatever the sensors and their units are. Regression on
the other sensors says which one is wrong, and what it should have read.

python examples/sensor_anomalies.py [--rows 200000]
"""

import argparse

import numpy as np
from numpy.typing import NDArray

from daskgmm import GaussianMixture

Array = NDArray[np.float64]

SENSORS = ["load", "temperature", "vibration"]
UNITS = ["%", "°C", "mm/s"]
ALARM = 1e-4
DAY = 24 * 60
FAULTS = {"bearing": slice(300, 330), "cooling": slice(700, 740), "sensor stuck": slice(1100, 1120)}


def readings(rows: int, seed: int) -> Array:
    """Return load, temperature and vibration of a healthy machine, (n, 3), a row a minute."""
    random = np.random.default_rng(seed)
    states = np.repeat(random.choice(3, size=rows // 30 + 1, p=[0.3, 0.5, 0.2]), 30)[:rows]
    load = random.normal(np.array([5.0, 55.0, 92.0])[states], np.array([1.5, 9.0, 2.5])[states])
    temperature = 30 + 0.45 * load + random.normal(0, np.array([1.0, 2.0, 3.0])[states])
    vibration = np.exp(0.011 * load + random.normal(0, 0.12, rows))
    return np.column_stack([load, temperature, vibration])


def with_faults(x: Array) -> Array:
    """Return a day with faults, hardly any of which leaves the range of its sensor."""
    x = x.copy()
    x[FAULTS["bearing"], 2] *= 1.9
    x[FAULTS["cooling"], 1] += np.linspace(6, 18, 40)
    x[FAULTS["sensor stuck"], 0] = 74.0
    x[FAULTS["sensor stuck"], 1] = 44.0
    return x


def suspect(mixture: GaussianMixture, row: Array) -> tuple[int, float]:
    """Return the sensor whose reading differs most from what the others say, and that."""
    found = [mixture.regress(np.delete(row, i)[None], targets=i) for i in range(len(row))]
    off = [abs(row[i] - each.mean[0]) / each.variance[0] ** 0.5 for i, each in enumerate(found)]
    worst = int(np.argmax(off))
    return worst, float(found[worst].mean[0])


def draw(mixture: GaussianMixture, healthy: Array, day: Array, scores: Array) -> None:
    """Draw calibration, the scores of the day, and regions of highest density."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 7), layout="constrained")
    above, below = figure.subplots(2, 2, gridspec_kw={"width_ratios": [1, 1.4]})
    ranks = np.sort(healthy)
    above[0].loglog(ranks, np.arange(1, len(ranks) + 1) / len(ranks))
    above[0].plot([1e-5, 1], [1e-5, 1], color="gray", linestyle=":")
    above[0].set(
        xlim=(1e-5, 1), ylim=(1e-5, 1), xlabel="rank", ylabel="part of healthy minutes below",
        title="Calibration on days not seen",
    )  # fmt: skip
    above[1].semilogy(scores, linewidth=0.6)
    above[1].axhline(ALARM, color="tab:red", linestyle="--", linewidth=1, label="alarm")
    above[1].legend(loc="lower right", fontsize=8)
    for name, when in FAULTS.items():
        above[1].axvspan(when.start, when.stop, color="tab:orange", alpha=0.3)
        above[1].text(when.start, 1.4, name, fontsize=8)
    above[1].set(xlabel="minute", ylabel="rank", ylim=(5e-7, 4), title="A day with faults")
    plane = mixture.marginal([0, 1])
    grid = np.meshgrid(np.linspace(-5, 105, 300), np.linspace(20, 105, 300))
    heights = plane.score_samples(np.column_stack([each.ravel() for each in grid]))
    masses = (0.999, 0.9, 0.5)
    levels = [plane.density_level(mass).log_density for mass in masses]
    lines = below[0].contour(*grid, heights.reshape(300, 300), levels, cmap="viridis")
    handles, _ = lines.legend_elements()
    below[0].legend(handles, [f"{mass:.1%} of the rows" for mass in masses], fontsize=8)
    alarms = scores < ALARM
    below[0].scatter(*day[~alarms, :2].T, s=1, color="gray")
    below[0].scatter(*day[alarms, :2].T, s=8, marker="x", color="tab:red", linewidths=0.8)
    below[0].set(xlabel="load, %", ylabel="temperature, °C", title="Regions of highest density")
    found = mixture.regress(np.delete(day, 1, axis=1), targets=1)
    deviation, minutes = np.sqrt(found.variance), np.arange(len(day))
    below[1].fill_between(
        minutes, found.mean - 3 * deviation, found.mean + 3 * deviation, alpha=0.4,
        label="given load and vibration, 3 standard deviations",
    )  # fmt: skip
    below[1].plot(minutes, day[:, 1], color="black", linewidth=0.6, label="measured")
    below[1].set(xlabel="minute", ylabel="temperature, °C", xlim=(650, 800), ylim=(20, 110))
    below[1].set_title("What the temperature should be")
    below[1].legend(fontsize=8)
    figure.savefig("anomalies.png", dpi=120)


def main() -> None:
    """Fit healthy days, check the calibration on others, and look at a day with faults."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    rows = parser.parse_args().rows
    mixture = GaussianMixture(8, random_state=0, max_iter=500)
    mixture.fit(readings(rows, 0))  # or what `fit` takes else: Zarr, Parquet, frames
    new, day = readings(rows, 1), with_faults(readings(DAY, 2))
    healthy, scores = (mixture.density_rank(x, n_drawn=1_000_000) for x in (new, day))
    for level in (1e-2, 1e-3, ALARM):
        print(f"healthy minutes below {level:g}: {(healthy < level).mean():.2g}")
    print(f"alarms: {(scores < ALARM).sum()} of {DAY} minutes")
    for name, when in FAULTS.items():
        least = when.start + int(scores[when].argmin())
        place, expected = suspect(mixture, day[least])
        print(
            f"{name:>12}: {(scores[when] < ALARM).mean():4.0%} of its minutes; at minute {least} "
            f"{SENSORS[place]} reads {day[least, place]:.1f} {UNITS[place]}, and should read "
            f"{expected:.1f}"
        )
    try:
        draw(mixture, healthy, day, scores)
        print("picture: anomalies.png")
    except ImportError:
        print("no picture without matplotlib")


if __name__ == "__main__":
    main()
