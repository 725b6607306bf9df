"""Iterations of EM: what a pass finds, and how a fit continues from there."""
