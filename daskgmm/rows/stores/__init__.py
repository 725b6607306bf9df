"""Rows of stored arrays: Zarr in any store, HDF5."""
