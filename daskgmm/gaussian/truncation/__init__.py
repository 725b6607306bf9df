"""Mixtures of many components, of which each row has to do with few: cells of candidates."""
