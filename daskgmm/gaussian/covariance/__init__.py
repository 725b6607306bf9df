"""Covariance structures: form of the covariances, sufficient statistic, M-step."""
