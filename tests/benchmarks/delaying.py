"""A proxy on loopback that holds answers back: python -m tests.benchmarks.delaying URL SECONDS.

It prints its own address. Bytes pass as they are: late are the first of them after a request.
"""

import asyncio
import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

PIECE = 1 << 18


@contextlib.contextmanager
def delayed(url: str, seconds: float) -> Iterator[str]:
    """Run a proxy to a server in a process of its own; yield its address."""
    command = [sys.executable, "-m", "tests.benchmarks.delaying", url, str(seconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.kill()


async def serve(url: str, seconds: float) -> None:
    """Pass connections on until the process is killed."""
    upstream = urlsplit(url)

    async def passed_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers, requests = await asyncio.open_connection(upstream.hostname, upstream.port)
        asked = 0.0

        async def forth() -> None:
            nonlocal asked
            while data := await reader.read(PIECE):
                asked = time.monotonic()
                requests.write(data)
                await requests.drain()
            requests.close()

        async def back() -> None:
            while data := await answers.read(PIECE):
                await asyncio.sleep(max(0.0, asked + seconds - time.monotonic()))
                writer.write(data)
                await writer.drain()
            writer.close()

        with contextlib.suppress(OSError):
            await asyncio.gather(forth(), back())

    server = await asyncio.start_server(passed_on, "127.0.0.1", 0, limit=PIECE, backlog=1000)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], float(sys.argv[2])))
