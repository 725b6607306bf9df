"""
Who speaks: a model adapted to a speaker
========================================

A background model is fitted to generated cepstra of many speakers. Each speaker is
then enrolled in two ways: by a mixture of the same size fitted only to a few seconds
of that speaker, and by adapting the background model to the same seconds (Reynolds,
Quatieri & Dunn 2000). The score of a test is its mean log-likelihood ratio to the
background model.
"""

import warnings

import matplotlib.pyplot as plt
import numpy as np

from daskgmm import GaussianMixture

FEATURES, SOUNDS, SPEAKERS = 12, 16, 20
ENROLMENT, TEST = 400, 100  # frames of 10 ms

# %%
# A speaker's voice shifts each sound a little. A text contains only some of the
# sounds.

random = np.random.default_rng(0)
sounds = 1.5 * random.normal(size=(SOUNDS, FEATURES))


def voice() -> np.ndarray:
    """Return how one speaker's sounds differ from the average."""
    return 0.25 * random.normal(size=(SOUNDS, FEATURES))


def speech(own: np.ndarray, frames: int) -> np.ndarray:
    """Return cepstra of a speaker."""
    said = random.permutation(SOUNDS)[: 7 * SOUNDS // 8]
    which = random.choice(said, frames)
    return sounds[which] + own[which] + random.normal(size=(frames, FEATURES))


crowd = np.concatenate([speech(voice(), 500) for _ in range(100)])
voices = [voice() for _ in range(SPEAKERS)]
enrolled = [speech(each, ENROLMENT) for each in voices]
tests = [speech(voices[i % SPEAKERS], TEST) for i in range(3 * SPEAKERS)]

# %%
# Both kinds of models.

settings = {"covariance_type": "diag", "random_state": 0, "reg_covar": 1e-2}
background = GaussianMixture(SOUNDS, **settings).fit(crowd)
adapted = [background.map_adapt(x, relevance=16) for x in enrolled]
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # few rows for so many components
    alone = [GaussianMixture(SOUNDS, **settings).fit(x) for x in enrolled]

# %%
# At the equal error rate, the share of true speakers who are refused equals the share
# of other speakers who are accepted.

frames = np.concatenate(tests)


def scores_of(model: GaussianMixture) -> np.ndarray:
    """Return the mean log-likelihood ratio of each test."""
    ratios = model.score_samples(frames) - background.score_samples(frames)
    return ratios.reshape(len(tests), TEST).mean(axis=1)


own = np.arange(len(tests)) % SPEAKERS == np.arange(SPEAKERS)[:, None]
figure, grid = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
for axes, (name, models) in zip(
    grid, (("fitted alone", alone), ("adapted", adapted)), strict=True
):
    scores = np.array([scores_of(model) for model in models])
    speaker, others = scores[own], scores[~own]
    thresholds = np.sort(scores.ravel())
    refused = (speaker[:, None] < thresholds).mean(0)
    accepted = (others[:, None] >= thresholds).mean(0)
    rate = np.maximum(refused, accepted).min()
    print(f"{name}: equal error rate {rate:.1%}")
    bins = np.linspace(*np.quantile(scores, [0.01, 1.0]), 40)
    axes.hist(
        others, bins, density=True, alpha=0.6, color="#0072b2", label="another speaker"
    )
    axes.hist(
        speaker, bins, density=True, alpha=0.6, color="#d55e00", label="the speaker"
    )
    axes.set_title(f"{name}: equal error rate {rate:.1%}")
    axes.set_xlabel("log-likelihood ratio (nats per frame)")
    axes.legend()
plt.show()
