"""Predictions in the form of the rows: in memory, lazy, by partition, labelled."""
