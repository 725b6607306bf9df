"""Estimators, their predictions, and model files."""
