"""Predictions written to Zarr and Parquet, by runs that can be resumed."""
