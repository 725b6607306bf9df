"""The Bayesian estimator: what every estimator does, its file, the command line, bad priors."""

from daskgmm import BayesianGaussianMixture
from daskgmm.testing import EstimatorTests


class TestBayesianGaussianMixture(EstimatorTests):
    estimator = BayesianGaussianMixture
