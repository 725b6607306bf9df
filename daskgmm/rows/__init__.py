"""Where rows come from: NumPy, Zarr, dask arrays, and lists of these, as one type `Rows`."""
