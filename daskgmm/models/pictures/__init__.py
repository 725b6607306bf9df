"""What pictures are drawn from: counts of rows in bins, and mixtures over few columns."""
