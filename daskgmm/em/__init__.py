"""Expectation-maximisation: survey, starts, iterations, selection."""
