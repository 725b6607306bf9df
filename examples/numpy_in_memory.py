"""Rows in memory: everything is as in scikit-learn, and rows may have weights.

python examples/numpy_in_memory.py [--rows 200000]
"""

import argparse

import numpy as np

from daskgmm import GaussianMixture


def main(rows: int) -> None:
    random = np.random.default_rng(0)
    centres = np.array([[-4.0, 0.0], [0.0, 3.0], [4.0, -1.0]])
    x = centres[random.integers(0, 3, rows)] + random.normal(size=(rows, 2))

    mixture = GaussianMixture(n_components=3, random_state=0).fit(x)
    print(f"converged after {mixture.n_iter_} iterations, BIC {mixture.bic(x):.0f}")
    print("means\n", mixture.means_.round(2))
    print("first labels", mixture.predict(x[:5]))

    # A weight says how often a row counts. Here: those on the left three times.
    weights = np.where(x[:, 0] < -2, 3.0, 1.0)
    mixture.fit(x, sample_weight=weights)
    print("mixing proportions, weighted", mixture.weights_.round(3))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    main(parser.parse_args().rows)
