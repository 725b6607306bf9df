"""Structures by volume, shape and orientation (Celeux & Govaert 1995)."""
