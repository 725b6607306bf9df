"""Sweeps: many sizes and structures, compared on a sample and in shared passes."""
