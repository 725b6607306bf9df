"""Predictions written to Zarr and Parquet, by runs that can go on."""
