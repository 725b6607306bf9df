"""Commands that fit mixtures, choose among them, or plan a fit."""
