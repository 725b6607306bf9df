"""Precisions, their factors, and statistics of rows."""
