"""Rows of data frames, and the columns that are carried along with rows."""
