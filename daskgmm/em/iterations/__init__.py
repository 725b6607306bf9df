"""Iterations of EM: what a pass finds, and how a fit goes on from there."""
