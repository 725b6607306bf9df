"""A classifier: a mixture whose components belong to classes."""
