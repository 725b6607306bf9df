"""What notebooks show of fitted estimators and sweeps."""
