"""Kernels, which evaluate densities of tiles, and back ends, which take moments of blocks."""
