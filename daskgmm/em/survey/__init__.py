"""Passes that look at rows: the survey, samples, moments of rows, counts of labels."""
