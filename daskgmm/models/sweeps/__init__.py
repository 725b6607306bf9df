"""Sweeps: mixtures of several sizes and structures, fitted together."""
