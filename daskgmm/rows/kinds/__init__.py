"""The kinds of sources: a class for each thing that rows come from."""
