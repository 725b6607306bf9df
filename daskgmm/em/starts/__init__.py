"""Where EM begins: starts on a sample, compared."""
