"""Models, which EM iterates."""
