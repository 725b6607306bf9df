"""A running fit or sweep, shown where it was started: in a notebook, or on a terminal."""
