"""Starts of EM: made on a sample, and compared."""
