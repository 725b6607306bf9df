"""What the user holds: estimators, their predictions, and model files."""
