"""Files of comma-separated values: small ones are read into memory, all become Parquet."""
