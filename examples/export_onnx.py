"""
A mixture in ONNX
=================

A fitted mixture can run where there is no Python: convert it to scikit-learn's
``GaussianMixture`` and export that to ONNX. This needs ``pip install skl2onnx
onnxruntime``.
"""

import numpy as np
import onnxruntime
from skl2onnx import to_onnx

from daskgmm import GaussianMixture

# %%
# Three clusters, in columns of different units.

random = np.random.default_rng(0)
centres = np.array([[-4.0, 0.0], [0.0, 3.0], [4.0, -1.0]])
x = centres[random.integers(0, 3, 20_000)] + random.normal(size=(20_000, 2))
x = 1000 + x * [1.0, 50.0]
mixture = GaussianMixture(n_components=3, random_state=0).fit(x)

# %%
# The exported model takes its data type from the example row. In float32, posteriors
# lose digits: the farther the data are from the origin, the more.

fitted = mixture.to_sklearn()
exported = to_onnx(fitted, x[:1], options={id(fitted): {"score_samples": True}})
session = onnxruntime.InferenceSession(
    exported.SerializeToString(), providers=["CPUExecutionProvider"]
)

# %%
# Both models give the same numbers, even for rows so far from every component that
# all densities underflow to 0.

far = x.mean(axis=0) + 1000 * (x[:1000] - x.mean(axis=0))
for name, given in (("near", x[:1000]), ("far", far)):
    labels, posteriors, densities = session.run(None, {"X": given})
    np.testing.assert_array_equal(labels.ravel(), mixture.predict(given))
    np.testing.assert_allclose(
        posteriors, mixture.predict_proba(given), rtol=0, atol=1e-9
    )
    np.testing.assert_allclose(
        densities.ravel(), mixture.score_samples(given), rtol=1e-9
    )
    print(f"{name} rows: the same labels, posteriors and densities to 1e-9,")
    print(f"  log densities from {densities.min():.1f} to {densities.max():.1f}")
