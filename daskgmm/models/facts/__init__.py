"""Facts of a fitted mixture: criteria, degenerate components, the rows it was fitted to."""
