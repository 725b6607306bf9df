"""A file system of fsspec far away: local files behind ``distant://``, whose answers take time."""

import asyncio
import threading
import time
from pathlib import Path

import fsspec
from fsspec.asyn import AsyncFileSystem
from fsspec.spec import AbstractBufferedFile

LINE = threading.Lock()


class Distant(AsyncFileSystem):
    """Each read takes `latency` seconds, and all share a line of `bytes_per_second`.

    Attributes
    ----------
    reads, most : int
        Reads under way now, and the most that ever were at once.
    """

    protocol = "distant"
    latency, bytes_per_second = 0.05, 1e9
    free_at = 0.0
    reads = most = 0

    async def _cat_file(self, path, version_id=None, start=None, end=None, **options):
        kind, asked = type(self), time.monotonic()
        with LINE:
            kind.reads += 1
            kind.most = max(kind.most, kind.reads)
        try:
            with Path(path).open("rb") as file:
                file.seek(start or 0)
                found = file.read(-1 if end is None else end - (start or 0))
            with LINE:
                kind.free_at = max(kind.free_at, asked + self.latency)
                kind.free_at += len(found) / self.bytes_per_second
                ready = kind.free_at
            await asyncio.sleep(max(0.0, ready - time.monotonic()))
        finally:
            with LINE:
                kind.reads -= 1
        return found

    async def _info(self, path, **options):
        await asyncio.sleep(self.latency)
        stat = Path(path).stat()  # FileNotFoundError too
        kind = "directory" if Path(path).is_dir() else "file"
        return {"name": path, "size": stat.st_size, "type": kind, "mtime": stat.st_mtime_ns}

    async def _ls(self, path, detail=True, **options):
        found = [await self._info(str(each)) for each in sorted(Path(path).iterdir())]
        return found if detail else [each["name"] for each in found]

    def _open(self, path, mode="rb", block_size=None, cache_options=None, **options):
        return File(self, path, mode, cache_type="none")


class File(AbstractBufferedFile):
    """A file that is open."""

    def _fetch_range(self, start, end):
        return self.fs.cat_file(self.path, start=start, end=end)


fsspec.register_implementation("distant", Distant, clobber=True)
