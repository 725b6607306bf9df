"""Components with heavier tails than Gaussians have, as functions of Mahalanobis distances."""
