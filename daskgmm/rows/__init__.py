"""Where rows come from: NumPy, Zarr, Dask, tables, and lists of these, as one type `Rows`."""
