"""Two mixtures side by side: components, divergence, and what both say of the same rows."""
