"""Arrays and groups of Zarr: where they are, and whether they are there."""
