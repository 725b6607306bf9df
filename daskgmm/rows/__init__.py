"""Sources of rows (NumPy, Zarr, Dask, tables, lists of these) behind one type, `Rows`."""
