"""Between a client and the server: a proxy on loopback that fails as real ones do."""

import contextlib
import threading
from collections import Counter
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

BUSY = b"""<?xml version="1.0"?><Error><Code>ServiceUnavailable</Code>
<Message>the server is restarted</Message></Error>"""


class Proxy(ThreadingHTTPServer):
    """Passes requests on; the first reads of each chunk are answered with 503.

    Attributes
    ----------
    failures : int
        Reads of each chunk that fail.
    refuse : callable or None
        Makes a message of the headers of a request, with which it is refused, or None.
    reads : Counter
        Of chunks, by path.
    """

    daemon_threads = True
    request_queue_size = 128  # of 5, a busy machine drops connections that clients open at once

    def __init__(self, upstream, failures=0, refuse=None):
        super().__init__(("127.0.0.1", 0), Handler)
        self.upstream, self.failures, self.refuse = urlsplit(upstream).netloc, failures, refuse
        self.reads, self.lock, self.gone = Counter(), threading.Lock(), False

    @property
    def endpoint(self):
        return f"http://127.0.0.1:{self.server_address[1]}"

    def fails(self, path):
        """Count a read of a chunk; tell whether it is to fail."""
        if "/c/" not in path:
            return False
        with self.lock:
            self.reads[path] += 1
            return self.reads[path] <= self.failures


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    body = None

    def do_GET(self):
        if self.server.gone:
            self.close_connection = True
        elif (said := self.server.refuse and self.server.refuse(self.headers)) is not None:
            body = f"<Error><Code>AccessDenied</Code><Message>{said}</Message></Error>"
            self.answer(403, {}, body.encode())
        elif self.command == "GET" and self.server.fails(self.path):
            self.answer(503, {}, BUSY)
        else:
            self.answer(*self.passed_on())

    do_HEAD = do_DELETE = do_GET

    def do_PUT(self):
        self.body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.do_GET()
        self.body = None

    do_POST = do_PUT

    def passed_on(self):
        upstream = HTTPConnection(self.server.upstream, timeout=30)
        with contextlib.closing(upstream):
            upstream.request(self.command, self.path, self.body, dict(self.headers))
            found = upstream.getresponse()
            return found.status, dict(found.headers), found.read()

    def answer(self, status, headers, body):
        self.send_response_only(status)
        for name, value in headers.items():
            if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                self.send_header(name, value)
        length = headers.get("Content-Length", len(body)) if self.command == "HEAD" else len(body)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *arguments):
        pass


@contextlib.contextmanager
def proxy_to(upstream, **behaviour):
    """Run a proxy; yield it."""
    with Proxy(upstream, **behaviour) as proxy:
        thread = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield proxy
        finally:
            proxy.gone = True  # connections that are open too
            proxy.shutdown()
            thread.join()
