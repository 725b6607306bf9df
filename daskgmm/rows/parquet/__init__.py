"""Rows of Parquet files, and of the tables that are made of them."""
