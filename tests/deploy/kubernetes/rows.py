"""What the pods fit that run as processes."""

from tests.oracle.data import blobs

K = 3
X = blobs(n=20_000, d=3, k=K)
CHUNKS = (2_000, 3)
