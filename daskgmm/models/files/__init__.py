"""Mixtures as files, and as scikit-learn's."""
