"""A mixture as a density: made by hand, conditioned, sampled, compared."""
