"""Covariance structures: how covariances are held, what a pass keeps, the M-step."""
