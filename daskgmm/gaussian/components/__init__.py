"""Components changed: merged, split, projected on a structure."""
