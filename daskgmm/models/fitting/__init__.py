"""The fit of an estimator: check, run EM, set attributes, warn."""
