"""Reports in words: of a model, a classifier, data, a sweep."""
