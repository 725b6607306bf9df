"""What a mixture says as a density: at points, over columns, given values, at its modes."""
