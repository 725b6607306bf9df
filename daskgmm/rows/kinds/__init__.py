"""The kinds of sources, one class each."""
