"""What goes beside rows: weights, labels, variances of noise."""
