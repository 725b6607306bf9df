"""The E-step by natural parameters as one compiled function."""
