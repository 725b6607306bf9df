"""A run that is stopped, resumed elsewhere and damaged ends with the bits of a quiet one."""

import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

import dask
import dask.array as da
import numpy as np
import pytest
import zarr
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from daskgmm import load_model
from daskgmm.errors import CheckpointError, ModelFileError
from daskgmm.models.writers.partial_places import JOURNAL
from tests.promises.options import OPTIONS, beside, made, rows
from tests.promises.slow import bits
from tests.promises.stopping import Stop, stop_after
from tests.properties.models import quiet
from tests.properties.profiles import small_batches

N, CHUNK, ITERATIONS = 120, 20, 4

THREADS = st.sampled_from([1, 2, 3])
CACHES = st.sampled_from([None, 0, 1500, 100_000])
OUTPUTS = ["label", "posterior", "log_density"]
PLACES = st.floats(0, 1, exclude_max=True)

QUIET = {}
"""What runs that nothing happens to find, by option: a mixture, its bits and its predictions."""


def given_to(option, chunk=CHUNK):
    """Return rows of an option, and what goes beside them in a fit."""
    x = beside(option).rows(rows(N))
    return da.from_array(x, chunks=(chunk, x.shape[1]), name=f"rows-{option}-{chunk}"), beside(
        option
    ).given(*x.shape, chunk)


def fitted(option, chunk=CHUNK, **settings):
    """Return a mixture fitted to the rows of an option."""
    x, given = given_to(option, chunk)
    with quiet(), small_batches():
        return made(option, max_iter=ITERATIONS, tol=0.0).fit(x, **given, **settings)


def written(option, mixture, out, progress=None):
    """Write predictions; return all that is there."""
    x, given = given_to(option)
    known = {name: noise for name, noise in given.items() if name == "noise_variance"}
    with quiet(), small_batches():
        mixture.predict_to_zarr(x, out, OUTPUTS, progress=progress, chunks=CHUNK, **known)
    group = zarr.open_group(out, mode="r")
    return {name: group[name][:].tobytes() for name in OUTPUTS}


def quiet_run(option):
    """Return what a run finds that nothing happens to."""
    if option not in QUIET:
        with dask.config.set(num_workers=1), tempfile.TemporaryDirectory() as place:
            mixture = fitted(option)
            QUIET[option] = mixture, bits(mixture), written(option, mixture, Path(place, "p.zarr"))
    return QUIET[option]


def spoil(path, place, bit):
    """Turn one bit of a file."""
    content = bytearray(path.read_bytes())
    content[int(place * len(content))] ^= 1 << bit
    path.write_bytes(content)


class Runs(RuleBasedStateMachine):
    """A fit with a checkpoint, a model file and predictions, to which things happen."""

    def __init__(self):
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="daskgmm-properties-"))
        self.spoiled = set()

    checkpoint = property(lambda self: self.folder / "fit.json")
    model = property(lambda self: self.folder / "model.json")
    out = property(lambda self: self.folder / "out.zarr")
    journal = property(lambda self: self.folder / f"out.zarr.partial{JOURNAL}")

    @initialize(option=st.sampled_from(sorted(OPTIONS)))
    def begin(self, option):
        self.option = option
        self.mixture, self.bits, self.predictions = quiet_run(option)

    def check_refusal(self, what, name, error):
        assert what in self.spoiled, error
        assert name in str(error)

    @rule(stop=st.sampled_from([0, 1, 2, 3, None]), threads=THREADS, cache=CACHES)
    def fit(self, stop, threads, cache):
        """Go on, to the end or until the driver is stopped."""
        listen = None if stop is None else stop_after(stop)
        whole = self.checkpoint.read_bytes() if self.checkpoint.exists() else None
        try:
            with dask.config.set(num_workers=threads):
                found = fitted(self.option, checkpoint=self.checkpoint, cache=cache, listen=listen)
        except Stop:
            assert stop is not None
            self.spoiled.discard("checkpoint")  # it was harmless, and another one is there
        except CheckpointError as error:
            self.check_refusal("checkpoint", "fit.json", error)
            assert self.checkpoint.read_bytes() == whole
            self.checkpoint.unlink()
            self.spoiled.discard("checkpoint")
        else:
            assert bits(found) == self.bits

    @precondition(lambda self: self.checkpoint.exists() and "checkpoint" not in self.spoiled)
    @rule(chunk=st.sampled_from([10, 30, 120]))
    def fit_in_other_chunks(self, chunk):
        """Sums in another order would end with other bits."""
        whole = self.checkpoint.read_bytes()
        with pytest.raises(CheckpointError, match=r"fit\.json"):
            fitted(self.option, chunk, checkpoint=self.checkpoint)
        assert self.checkpoint.read_bytes() == whole

    @precondition(lambda self: self.checkpoint.exists())
    @rule(place=PLACES, bit=st.integers(0, 7))
    def spoil_the_checkpoint(self, place, bit):
        spoil(self.checkpoint, place, bit)
        self.spoiled.add("checkpoint")

    @rule()
    def lose_the_checkpoint(self):
        self.checkpoint.unlink(missing_ok=True)
        self.spoiled.discard("checkpoint")

    @rule(stop=st.sampled_from([1, 2, 4, None]), threads=THREADS)
    def predict(self, stop, threads):
        """Write predictions, or go on with them, to the end or until the driver is stopped."""

        def progress(done, total):
            if stop is not None and done >= stop:
                raise Stop

        with suppress(Stop), dask.config.set(num_workers=threads):
            assert written(self.option, self.mixture, self.out, progress) == self.predictions
        if self.out.exists():
            assert sorted(each.name for each in self.folder.glob("out.zarr*")) == ["out.zarr"]
            shutil.rmtree(self.out)

    @precondition(lambda self: self.journal.exists())
    @rule(place=PLACES, bit=st.integers(0, 7))
    def spoil_the_journal(self, place, bit):
        spoil(self.journal, place, bit)

    @precondition(lambda self: self.journal.exists())
    @rule(which=st.integers(0, 9), place=PLACES, bit=st.integers(0, 7))
    def spoil_metadata_of_predictions(self, which, place, bit):
        found = sorted(self.folder.glob("out.zarr.partial/**/zarr.json"))
        if found:
            spoil(found[which % len(found)], place, bit)

    @rule()
    def save(self):
        self.mixture.save(self.model)
        self.spoiled.discard("model")

    @precondition(lambda self: self.model.exists())
    @rule(place=PLACES, bit=st.integers(0, 7))
    def spoil_the_model(self, place, bit):
        spoil(self.model, place, bit)
        self.spoiled.add("model")

    @precondition(lambda self: self.model.exists())
    @rule()
    def load(self):
        try:
            found = load_model(self.model)
        except ModelFileError as error:
            self.check_refusal("model", "model.json", error)
        else:
            for name in ("weights_", "means_", "covariances_", "precisions_cholesky_"):
                np.testing.assert_array_equal(getattr(found, name), getattr(self.mixture, name))

    @invariant()
    def nothing_is_left_behind(self):
        names = {each.name for each in self.folder.iterdir()}
        assert names <= {"fit.json", "model.json", "out.zarr.partial", self.journal.name}, names

    def teardown(self):
        try:
            if hasattr(self, "predictions"):
                if "checkpoint" in self.spoiled:
                    self.checkpoint.unlink()
                assert bits(fitted(self.option, checkpoint=self.checkpoint)) == self.bits
                assert written(self.option, self.mixture, self.out) == self.predictions
        finally:
            shutil.rmtree(self.folder)


TestRuns = pytest.mark.slow(Runs.TestCase)
