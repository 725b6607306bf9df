"""Kernels, densities made ready for rows, and the back ends that take moments under them."""
