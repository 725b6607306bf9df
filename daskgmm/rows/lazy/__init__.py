"""Rows of Dask arrays, and rows as Dask arrays."""
