"""Decoding of missing values and packed numbers by what attributes declare."""
