"""Companions of rows that do not go together are refused."""

import numpy as np
import pytest

from daskgmm import GaussianMixture
from daskgmm.errors import SettingError

X = np.random.default_rng(0).normal(size=(60, 2))


def test_labels_and_known_noise():
    labels = np.where(np.arange(60) < 5, 0, -1)
    with pytest.raises(SettingError, match="noise_variance does not go with"):
        GaussianMixture(2).fit(X, labels=labels, noise_variance=np.ones((60, 2)))
