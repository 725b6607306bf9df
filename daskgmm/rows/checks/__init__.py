"""Checks of arrays, and the words of their refusals."""
