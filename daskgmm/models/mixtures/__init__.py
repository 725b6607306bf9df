"""What a fitted mixture does: labels, densities, steps, new rows."""
