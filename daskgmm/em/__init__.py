"""Expectation-maximisation: survey, start, loop, convergence."""
