"""Where an operation on many files of an asynchronous file system fails, no coroutine is left."""

import gc
import inspect
import warnings

import fsspec
import pytest
from fsspec.asyn import AsyncFileSystem

from daskgmm.storage.address import Address
from daskgmm.storage.coroutines import close_unbegun

FILES = [f"folder/{number}" for number in range(50)]


class Refusing(AsyncFileSystem):
    """Has many files in a folder, and lets none be removed."""

    protocol = "refusing"
    cachable = False

    async def _info(self, path, **kwargs):
        kind = "file" if self._strip_protocol(path) in FILES else "directory"
        return {"name": path, "size": 1, "type": kind}

    async def _ls(self, path, detail=True, **kwargs):
        entries = [{"name": each, "size": 1, "type": "file"} for each in FILES]
        return entries if detail else FILES

    async def _rm_file(self, path, **kwargs):
        raise PermissionError("Access Denied")


fsspec.register_implementation("refusing", Refusing, clobber=True)


@pytest.mark.parametrize("batch", [4, 1000])
def test_a_folder_that_cannot_be_removed(batch):
    address = Address.of("refusing://folder", {"batch_size": batch})
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        with pytest.raises(PermissionError, match="Access Denied"):
            address.remove()
        gc.collect()
    assert not [each for each in told if "never awaited" in str(each.message)]


def test_those_that_have_begun_are_left_to_who_awaits_them():
    async def waiting():
        await never()

    async def never():
        raise AssertionError("awaited")

    class Once:
        def __await__(self):
            yield

    async def begun():
        await Once()

    one, other = begun(), waiting()
    one.send(None)
    try:
        several = [one, other]
        raise ValueError(len(several))
    except ValueError as error:
        close_unbegun(error)
    assert inspect.getcoroutinestate(one) == inspect.CORO_SUSPENDED
    assert inspect.getcoroutinestate(other) == inspect.CORO_CLOSED
    one.close()
