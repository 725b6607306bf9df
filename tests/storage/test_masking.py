"""Errors in which no option is repeated, from whatever is asked for."""

import fsspec
import numpy as np
import pandas as pd
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from daskgmm import (
    GaussianMixture,
    csv_to_parquet,
    load_model,
    open_data,
    open_labelled,
    open_parquet,
)
from daskgmm.errors import DaskGMMError
from daskgmm.storage.masking import described, harmless, shown

OPTIONS = {
    "key": "public-key",
    "anon": False,
    "region": "eu-west-1",
    "client_kwargs": {"endpoint_url": "http://127.0.0.1:1", "headers": [("x", b"header-value")]},
    "token": "abc",
}


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("public-key is no key", "*** is no key"),
        ("header-value is refused", "*** is refused"),
        ("nobody at http://127.0.0.1:1 in eu-west-1", "nobody at http://127.0.0.1:1 in eu-west-1"),
        ("nobody at http://me:word@host/x", "nobody at http://***@host/x"),
        ("404, url='http://h/x?sig=abcd'", "404, url='http://h/x?***'"),
        ("nobody at http://me:w@rd@host/a@b", "nobody at http://***@host/a@b"),
        ("abc is too short to be found again", "abc is too short to be found again"),
        ("it broke\n\nDebug source:\nGeneric { }", "it broke"),
    ],
)
def test_described(message, told):
    assert described(OSError(message), OPTIONS) == f"OSError: {told}"


def test_causes_with_options_are_not_shown():
    inner, outer = OSError("public-key"), OSError("outer")
    outer.__cause__ = inner
    assert harmless(inner) is inner
    assert harmless(inner, OPTIONS) is None
    assert harmless(outer, OPTIONS) is None
    assert harmless(OSError("nothing"), OPTIONS) is not None


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("data/x@y?.parquet", "data/x@y?.parquet"),
        ("s3://bucket/run@home/x.zarr", "s3://bucket/run@home/x.zarr"),
        ("https://me:pass@word@host/x.zarr", "https://***@host/x.zarr"),
        ("https://host/x.zarr?X-Amz-Signature=a b", "https://host/x.zarr?***"),
        ("https://host/x.zarr#token=abc", "https://host/x.zarr#***"),
        ("simplecache::https://me:word@host/x", "simplecache::https://***@host/x"),
    ],
)
def test_shown(url, told):
    assert shown(url) == told


class Telling(MemoryFileSystem):
    """Repeats its key in every error, as S3 does."""

    protocol = "telling"

    def __init__(self, key=None, **kwargs):
        super().__init__(**kwargs)
        self.key = key

    def _refuse(self, *args, **kwargs):
        raise PermissionError(f"InvalidAccessKeyId: key {self.key} does not exist")

    cat_file = pipe_file = put_file = info = _refuse
    isfile = isdir = size = open = exists = ls = _refuse


fsspec.register_implementation("telling", Telling, clobber=True)

ROWS = pd.DataFrame(np.random.default_rng(0).normal(size=(40, 2)), columns=["a", "b"])
SECRET = "SECRETKEY"
STORE = "telling://bucket/x"
# Of a port on which nobody listens.
SIGNED = "http://127.0.0.1:9/x@y{}?X-Amz-Signature=SECRETKEY"
WITH_USER = "http://user:SECRETKEY@127.0.0.1:9/x{}"

ENTRIES = {
    "save": (".json", lambda m, url, given: m.save(url, given)),
    "load": (".json", lambda m, url, given: load_model(url, given)),
    "open_data of Zarr": (".zarr", lambda m, url, given: open_data(url, given)),
    "open_data of Parquet": (".parquet", lambda m, url, given: open_data(url, given)),
    "open_data of NetCDF": (".nc", lambda m, url, given: open_data(url, given)),
    "csv_to_parquet": (
        ".csv",
        lambda m, url, given: csv_to_parquet(url, "x.parquet", storage_options=given),
    ),
    "open_parquet": ("", lambda m, url, given: open_parquet(url, storage_options=given)),
    "open_labelled": ("", lambda m, url, given: open_labelled(url, ["a"], given)),
    "fit": ("", lambda m, url, given: GaussianMixture().fit(url, storage_options=given)),
    "checkpoint": (
        "",
        lambda m, url, given: GaussianMixture().fit(ROWS, checkpoint=url, storage_options=given),
    ),
    "predict_to_zarr": (
        "",
        lambda m, url, given: m.predict_to_zarr(ROWS, url, storage_options=given),
    ),
    "predict_to_parquet": (
        "",
        lambda m, url, given: m.predict_to_parquet(ROWS, url, storage_options=given),
    ),
}

WRITING = {"save", "checkpoint", "predict_to_zarr", "predict_to_parquet"}


def told(error):
    """Return what a traceback shows of an error."""
    texts = []
    while error is not None:
        texts.append(str(error))
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return "\n".join(texts)


@pytest.fixture(scope="module")
def mixture():
    return GaussianMixture(1).fit(ROWS)


@pytest.mark.parametrize("entry", ENTRIES)
@pytest.mark.parametrize("url", [f"{STORE}{{}}", SIGNED, WITH_USER], ids=["key", "query", "user"])
def test_no_entry_repeats_a_secret(entry, url, mixture):
    suffix, call = ENTRIES[entry]
    with pytest.raises(Exception) as caught:  # noqa: PT011 - of many kinds
        call(mixture, url.format(suffix), {"key": SECRET} if url.startswith(STORE) else None)
    assert SECRET not in told(caught.value)
    assert not isinstance(caught.value, (AttributeError, KeyError, NameError))


@pytest.mark.parametrize("url", ["memory://x@y/{}?token=SECRETKEY", "memory://user:SECRETKEY@x/{}"])
@pytest.mark.parametrize("entry", [name for name in ENTRIES if name not in WRITING])
def test_no_entry_repeats_a_secret_of_what_is_not_there(entry, url, mixture):
    suffix, call = ENTRIES[entry]
    with pytest.raises(Exception) as caught:  # noqa: PT011 - of many kinds
        call(mixture, url.format(suffix), None)
    assert SECRET not in told(caught.value)


class Late(Telling):
    """Refuses only after so many requests."""

    protocol = "late"
    left = 0


def _late(name):
    whole = getattr(MemoryFileSystem, name)

    def call(self, *args, **kwargs):
        Late.left -= 1
        return whole(self, *args, **kwargs) if Late.left > 0 else self._refuse()

    return call


for name in [
    "cat_file",
    "pipe_file",
    "put_file",
    "info",
    "isfile",
    "isdir",
    "size",
    "open",
    "_open",
    "exists",
    "ls",
    "rm",
    "find",
]:
    setattr(Late, name, _late(name))
fsspec.register_implementation("late", Late, clobber=True)


def failure(call, mixture, url):
    try:
        call(mixture, url, {"key": SECRET})
    except (PermissionError, DaskGMMError) as error:
        return error
    return None


@pytest.mark.slow  # a run for each request that may be refused
# Zarr leaves coroutines behind where it is refused something.
@pytest.mark.filterwarnings(
    "ignore::RuntimeWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)
@pytest.mark.parametrize("entry", ["predict_to_zarr", "predict_to_parquet"])
def test_no_request_repeats_a_secret(entry, mixture):
    for requests in range(0, 500, 13):
        Late.left = requests
        error = failure(ENTRIES[entry][1], mixture, f"late://bucket/{entry}{requests}")
        if error is None:
            break
        assert SECRET not in told(error)
    assert 50 < requests < 490


def test_footers_and_row_groups_repeat_no_secret(tmp_path, monkeypatch):
    path = f"file://{tmp_path}/x.parquet"
    ROWS.to_parquet(tmp_path / "x.parquet")
    rows = open_parquet(path, storage_options={"key": SECRET})

    def refuse(*args):
        raise PermissionError(f"key {SECRET} does not exist")

    monkeypatch.setattr("pyarrow.OSFile", refuse)
    with pytest.raises(OSError, match=r"cannot be opened: .*\*\*\* does not exist") as caught:
        next(iter(rows.segment(0, 1).stream()))
    assert SECRET not in told(caught.value)
    with pytest.raises(OSError, match=r"The footer of .*\*\*\* does not exist") as caught:
        open_parquet(path, storage_options={"key": SECRET})
    assert SECRET not in told(caught.value)
