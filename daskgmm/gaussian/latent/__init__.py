"""Latent coordinates of rows in components of low rank."""
