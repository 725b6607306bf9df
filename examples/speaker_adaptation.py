"""A speaker adapted from a background model: who speaks, from few seconds of speech.

Generated cepstra of many speakers make the background model. A speaker is then enrolled in two
ways: a mixture of the same size fitted to a few seconds alone, and the background model adapted to
them. The score of a test is the mean log-likelihood ratio to the background model.

python examples/speaker_adaptation.py [--rows 200000]
"""

import argparse
import warnings

import numpy as np

from daskgmm import GaussianMixture

FEATURES, SOUNDS, SPEAKERS = 12, 16, 20
ENROLMENT, TEST = 400, 100  # frames of 10 ms


def equal_error_rate(targets: np.ndarray, impostors: np.ndarray) -> float:
    """Return the rate at which as many targets are refused as impostors accepted."""
    thresholds = np.sort(np.concatenate([targets, impostors]))
    refused = (targets[:, None] < thresholds).mean(0)
    accepted = (impostors[:, None] >= thresholds).mean(0)
    return float(np.maximum(refused, accepted).min())


def trials(models: list, background: GaussianMixture, tests: list) -> tuple:
    """Return the scores of each test under its own speaker, and under all others."""
    base = np.array([background.score(x) for x in tests])
    scores = np.array([[model.score(x) for x in tests] for model in models]) - base
    own = np.arange(len(tests)) % len(models) == np.arange(len(models))[:, None]
    return scores[own], scores[~own]


def main(rows: int) -> None:
    random = np.random.default_rng(0)
    sounds = 1.5 * random.normal(size=(SOUNDS, FEATURES))

    def speech(voice: np.ndarray, frames: int) -> np.ndarray:
        said = random.permutation(SOUNDS)[: 7 * SOUNDS // 8]  # a text has some sounds only
        which = random.choice(said, frames)
        return sounds[which] + voice[which] + random.normal(size=(frames, FEATURES))

    def voice() -> np.ndarray:
        return 0.25 * random.normal(size=(SOUNDS, FEATURES))

    crowd = np.concatenate([speech(voice(), rows // 100) for _ in range(100)])
    settings = {"covariance_type": "diag", "random_state": 0, "reg_covar": 1e-2}
    background = GaussianMixture(SOUNDS, **settings).fit(crowd)

    voices = [voice() for _ in range(SPEAKERS)]
    enrolled = [speech(each, ENROLMENT) for each in voices]
    tests = [speech(voices[i % SPEAKERS], TEST) for i in range(3 * SPEAKERS)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # so few rows for so many components
        alone = [GaussianMixture(SOUNDS, **settings).fit(x) for x in enrolled]
    adapted = [background.map_adapt(x, relevance=16) for x in enrolled]

    found = {"fitted alone": alone, "adapted": adapted}
    scores = {name: trials(models, background, tests) for name, models in found.items()}
    for name, (targets, impostors) in scores.items():
        print(f"{name}: equal error rate {equal_error_rate(targets, impostors):.1%}")
    draw(scores)


def draw(scores: dict) -> None:
    """Write the distributions of the scores, if matplotlib is there."""
    try:
        import matplotlib as mpl
    except ImportError:
        return
    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(9, 3.5), layout="constrained")
    for axis, (name, (targets, impostors)) in zip(axes, scores.items(), strict=True):
        bins = np.linspace(*np.quantile(np.concatenate([targets, impostors]), [0.01, 1.0]), 40)
        axis.hist(impostors, bins, density=True, alpha=0.6, label="another speaker")
        axis.hist(targets, bins, density=True, alpha=0.6, label="the speaker")
        axis.set_title(f"{name}: equal error rate {equal_error_rate(targets, impostors):.1%}")
        axis.set_xlabel("log-likelihood ratio to the background model (nats a frame)")
        axis.legend()
    figure.savefig("speaker_adaptation.png", dpi=120)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    main(parser.parse_args().rows)
