"""Conjugate priors, and the variational posterior."""
