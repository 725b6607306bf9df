"""The fixtures that scikit-learn's tests ask for."""

import numpy as np
import pytest


@pytest.fixture(params=[np.float64], ids=["float64"])
def global_dtype(request):
    return request.param


@pytest.fixture(params=[pytest.param(0, marks=pytest.mark.slow), 42])
def global_random_seed(request):
    return request.param
