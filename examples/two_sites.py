"""
Two hospitals that share no rows
================================

Each hospital holds blood values of its own patients. A coordinator sends the mixture
to both hospitals. Each returns the moments of its rows under the mixture, a file of k
(1 + d + d (d + 1) / 2) numbers, and the coordinator takes an EM step from their sum.
The result equals, to the bit, that of the same loop at one place that holds all rows,
and it agrees with an ordinary fit to all rows.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt
import numpy as np
import zarr

from daskgmm import GaussianMixture, MixtureMoments, load_model, plot

N = 20_000
VALUES = ("haemoglobin g/dl", "glucose mmol/l", "creatinine umol/l")
GROUPS = np.array([[14.0, 5.2, 75.0], [10.5, 5.6, 90.0], [13.5, 11.0, 95.0]])
SPREADS = np.array([[1.0, 0.6, 12.0], [0.9, 0.7, 20.0], [1.2, 2.5, 25.0]])
PATIENTS = {"north": (0.7, 0.2, 0.1), "south": (0.4, 0.1, 0.5)}

# %%
# There are three groups of patients, with different shares at each hospital.

folder = TemporaryDirectory()
place = Path(folder.name)
hospitals = [place / f"{name}.zarr" for name in PATIENTS]
for seed, (rows, shares) in enumerate(zip(hospitals, PATIENTS.values(), strict=True)):
    random = np.random.default_rng(seed)
    group = random.choice(3, N, p=shares)
    zarr.save_array(rows, GROUPS[group] + SPREADS[group] * random.normal(size=(N, 3)))

# %%
# A hospital receives a model file and writes a file of moments. Its rows never leave
# the hospital.


def reply(hospital: Path, model: Path) -> Path:
    """Return the file with the moments of a hospital's rows under a mixture."""
    answer = hospital.with_suffix(".json")
    load_model(model).moments(hospital).save(answer)
    return answer


# %%
# The coordinator starts from a mixture fitted at one hospital and sums the moments of
# both.

model, start = place / "model.json", place / "start.json"
GaussianMixture(3, random_state=0).fit(hospitals[0]).save(start)
model.write_bytes(start.read_bytes())
before = -np.inf
while True:
    answers = [reply(hospital, model) for hospital in hospitals]
    shared = load_model(model).step(sum(MixtureMoments.load(each) for each in answers))
    shared.save(model)
    if shared.lower_bound_ - before < 1e-10:
        break
    before = shared.lower_bound_
print(f"an answer takes {answers[0].stat().st_size / 1e3:.1f} kB for {N:,} rows")

# %%
# The same loop at one place, and an ordinary fit to all rows.

one, before = load_model(start), -np.inf
while True:
    one = one.step(sum(one.moments(hospital) for hospital in hospitals))
    if one.lower_bound_ - before < 1e-10:
        break
    before = one.lower_bound_
fitted = GaussianMixture(3, tol=1e-10, max_iter=1000, random_state=0).fit(hospitals)
print("the same bits:", np.array_equal(shared.covariances_, one.covariances_))
print("nats per row of all patients:")
print(f"  {load_model(start).score(hospitals):.5f} by the mixture of one hospital")
print(f"  {shared.lower_bound_:.5f} by that of both")
print(f"  {fitted.lower_bound_:.5f} by a fit of all rows")

# %%
# The groups that were found.

print("share  " + ", ".join(VALUES))
for k in np.argsort(-shared.weights_):
    values = "  ".join(f"{value:6.2f}" for value in shared.means_[k])
    print(f"{shared.weights_[k]:.3f}  {values}")

# %%
# The mixture of both hospitals, over the patients of each.

figure, grid = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
for axes, name, hospital in zip(grid, PATIENTS, hospitals, strict=True):
    plot.components(shared, hospital, features=[0, 1], ax=axes)
    axes.set(xlabel=f"{VALUES[0]}, {name}", ylabel=VALUES[1], ylim=(0, 22))
plt.show()
folder.cleanup()
