"""Stores that fail on purpose, across processes; they note what they do in a folder."""

import os
import time
from pathlib import Path

from zarr.storage import LocalStore


class NotingStore(LocalStore):
    """A local store that counts the reads of each chunk with a file each, kept beside it."""

    def note(self, key):
        """Return how often `key` was read before this time."""
        folder = Path(f"{self.root}.reads")
        folder.mkdir(exist_ok=True)
        name = key.replace("/", ".")
        before = len(list(folder.glob(f"{name}@*")))
        (folder / f"{name}@{before}-{os.getpid()}").touch()
        return before

    async def get(self, key, *args, **options):
        """Read a chunk or a part of the metadata."""
        if key.split("/")[-2:-1] != [] and "zarr.json" not in key:
            self.before_read(key)
        return await super().get(key, *args, **options)

    def before_read(self, key):
        """Do what this store is for."""
        self.note(key)


class FailsTwice(NotingStore):
    """Every read fails twice, then works: a server that is restarted."""

    def before_read(self, key):
        """Fail the first two times."""
        if self.note(key) % 3 < 2:
            raise ConnectionError("the server is restarted")


class NeverWorks(NotingStore):
    """No chunk can ever be read."""

    def before_read(self, key):
        """Fail."""
        self.note(key)
        raise ConnectionError("the server is on fire")


class Throttled(LocalStore):
    """Reads share so many bytes a second, as those of a slow disk do."""

    bytes_per_second = 100e6
    free_at = 0.0

    async def get(self, key, *args, **options):
        """Read, and take the time that the bytes take."""
        import asyncio

        found = await super().get(key, *args, **options)
        if found is not None:
            kind = type(self)
            now = time.monotonic()
            kind.free_at = max(kind.free_at, now) + len(found) / kind.bytes_per_second
            await asyncio.sleep(kind.free_at - now)
        return found


class Unsendable(LocalStore):
    """A store that only this process can read, as that of a session that may write."""

    def __getstate__(self):
        """Refuse."""
        raise ValueError("a writable session cannot be pickled")
