"""The posterior of the rows of a tile, whoever computes it."""
