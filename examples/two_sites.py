"""Two hospitals that share no rows fit one mixture: only moments leave a site.

Each hospital holds blood values of its own patients, and serves other groups of them. A coordinator
sends the mixture to both; each answers with the moments of its rows under it, a file of k (1 + d +
d (d + 1) / 2) numbers; the mixture steps from their sum. The result has the bits of the same loop
at one place that holds both, and the numbers of an ordinary fit of all rows.

python examples/two_sites.py [--rows 100000]
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
import zarr

from daskgmm import GaussianMixture, MixtureMoments, load_model

VALUES = ("haemoglobin g/dl", "glucose mmol/l", "creatinine umol/l")
GROUPS = np.array([[14.0, 5.2, 75.0], [10.5, 5.6, 90.0], [13.5, 11.0, 95.0]])  # mean values
SPREADS = np.array([[1.0, 0.6, 12.0], [0.9, 0.7, 20.0], [1.2, 2.5, 25.0]])
PATIENTS = {"north": (0.7, 0.2, 0.1), "south": (0.4, 0.1, 0.5)}  # shares of the groups


class Hospital:
    """A site: its rows never leave it."""

    def __init__(self, place: Path, name: str, rows: int, seed: int) -> None:
        random = np.random.default_rng(seed)
        group = random.choice(3, rows, p=PATIENTS[name])
        x = GROUPS[group] + SPREADS[group] * random.normal(size=(rows, 3))
        self.rows, self.answer = place / f"{name}.zarr", place / f"{name}-moments.json"
        zarr.save_array(self.rows, x)

    def first(self, out: Path) -> None:
        """Write a mixture of this site's rows alone, to start from."""
        GaussianMixture(3, random_state=0).fit(self.rows).save(out)

    def reply(self, model: Path) -> Path:
        """Write the moments of the rows under the mixture that was sent."""
        load_model(model).moments(self.rows).save(self.answer)
        return self.answer


def coordinate(hospitals: list, model: Path, tol: float = 1e-10) -> GaussianMixture:
    """Return the mixture of the rows of all hospitals, which only exchange files."""
    before = -np.inf
    while True:
        mixture = load_model(model)
        replies = [MixtureMoments.load(hospital.reply(model)) for hospital in hospitals]
        after = mixture.step(sum(replies))
        after.save(model)
        if after.lower_bound_ - before < tol:
            return after
        before = after.lower_bound_


def at_one_place(hospitals: list, model: Path, tol: float = 1e-10) -> GaussianMixture:
    """Return the same in one process that may read all rows."""
    mixture, before = load_model(model), -np.inf
    while True:
        mixture = mixture.step(sum(mixture.moments(hospital.rows) for hospital in hospitals))
        if mixture.lower_bound_ - before < tol:
            return mixture
        before = mixture.lower_bound_


def main(rows: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        hospitals = [Hospital(place, name, rows, seed) for seed, name in enumerate(PATIENTS)]
        hospitals[0].first(place / "start.json")
        (place / "model.json").write_bytes((place / "start.json").read_bytes())
        shared = coordinate(hospitals, place / "model.json")
        size = hospitals[0].answer.stat().st_size
        one = at_one_place(hospitals, place / "start.json")
        everything = [hospital.rows for hospital in hospitals]
        fitted = GaussianMixture(3, tol=1e-10, max_iter=1000, random_state=0).fit(everything)
        alone = load_model(place / "start.json").score(everything)
        print(f"A reply has {size / 1e3:.1f} kB for {rows:,} rows.")
        print(f"Same bits as at one place: {np.array_equal(shared.covariances_, one.covariances_)}")
        print(f"Nats a row of all patients: {alone:.5f} by the mixture of one hospital,")
        both, fit = shared.lower_bound_, fitted.lower_bound_
        print(f"{both:.5f} by that of both, {fit:.5f} by a fit of all rows.")
        print("share of patients, mean values: " + ", ".join(VALUES))
        order = np.argsort(-shared.weights_)
        for weight, mean in zip(shared.weights_[order], shared.means_[order], strict=True):
            print(f"{weight:.3f}  " + "  ".join(f"{value:6.2f}" for value in mean))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000, help="of each hospital")
    main(parser.parse_args().rows)
