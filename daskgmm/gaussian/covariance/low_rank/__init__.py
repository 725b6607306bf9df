"""Structures of low rank: ppca, factor analysers, common factors."""
