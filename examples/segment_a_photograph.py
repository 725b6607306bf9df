"""
Segments of a photograph
========================

Each pixel is a row of three colours, and a mixture of five components divides the
picture into segments. The photograph is ``flower.jpg`` of scikit-learn
(flickr.com/photos/vultilion, CC BY 2.0).
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt
import numpy as np
import zarr
from sklearn.datasets import load_sample_image

from daskgmm import GaussianMixture, plot

# %%
# The pixels are stored in chunks on disk. Colours are integers from 0 to 255, which a
# density cannot describe, so a uniform random number between 0 and 1 is added to
# each.

photograph = load_sample_image("flower.jpg")
random = np.random.default_rng(0)
pixels = (
    (photograph + random.uniform(size=photograph.shape))
    .reshape(-1, 3)
    .astype("float32")
)
folder = TemporaryDirectory()
data = Path(folder.name) / "pixels.zarr"
zarr.create_array(data, data=pixels, chunks=(50_000, 3))
print(f"{len(pixels):,} pixels")

# %%
# The fit reads the chunks one by one, and so does the prediction: ``predict`` returns
# a lazy Dask array.

mixture = GaussianMixture(n_components=5, random_state=0).fit(data)
segments = mixture.predict(data).compute().reshape(photograph.shape[:2])

# %%
# Each segment in the mean colour of its component.

figure, axes = plt.subplots(1, 2, figsize=(9, 3.5), layout="constrained")
axes[0].imshow(photograph)
axes[1].imshow(mixture.means_[segments].clip(0, 255).astype("uint8"))
for each, title in zip(axes, ("photograph", "segments"), strict=True):
    each.set_title(title)
    each.axis("off")

# %%
# The five components in the plane of two of the colours.

axes = plot.components(mixture, data, features=[0, 2])
axes.set(xlabel="red", ylabel="blue")
plt.show()
folder.cleanup()
