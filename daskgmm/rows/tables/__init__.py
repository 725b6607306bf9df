"""Rows of data frames and tables, and key columns beside them."""
