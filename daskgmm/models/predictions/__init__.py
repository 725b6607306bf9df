"""Predictions for rows, in the form in which they came."""
