"""Servers of URLs, asked without the libraries of their file systems, whose imports take long.

Only what is certain is told: everything else is left to the file system.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable, Mapping
from contextlib import closing
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

from daskgmm.storage.masking import StorageOptions

PORTS = {"http": 80, "https": 443}
"""Ports of URLs that name none."""

S3 = ("s3", "s3a")

S3_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
"""Variables of the environment with the server of an object store, the first that is set."""

IGNORED = "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"
"""Variable by which requests go to another server than those name."""

PROXIES = ("http_proxy", "https_proxy", "all_proxy")
"""Variables, in capitals too, of proxies, which reach servers that this process does not."""

SECONDS = 3.0
"""Time for an answer; without one the file system is asked, which is more patient."""

GONE = (HTTPStatus.NOT_FOUND, HTTPStatus.GONE)


def no_server(url: str, options: StorageOptions | None) -> str | None:
    """Return why the server of a URL surely cannot be reached; None if it may be.

    Of object stores this is known for those whose endpoint is given, in options or the environment.
    """
    server = _server(urlsplit(url), options or {})
    if server is None or _behind_proxy():
        return None
    host, port = server
    try:
        socket.create_connection((host, port), SECONDS).close()
    except ConnectionRefusedError:
        return f"{host}:{port} refuses connections"
    except (socket.gaierror, UnicodeError) as error:  # of names that can be none
        unsure = isinstance(error, socket.gaierror) and error.errno == socket.EAI_AGAIN
        return None if unsure else f"the name {host} is not known"
    except OSError:
        return None
    return None


def none_of(urls: Iterable[str], options: StorageOptions | None) -> bool:
    """Return whether the HTTP server of some URLs says that it has none of them."""
    if options or _behind_proxy() or _is_configured():  # what says who asks, too
        return False
    return all(_is_gone(urlsplit(url)) for url in urls)


def _is_gone(url: SplitResult) -> bool:
    if url.scheme not in PORTS or url.username is not None:
        return False
    import http.client as client

    kind = client.HTTPSConnection if url.scheme == "https" else client.HTTPConnection
    try:
        with closing(kind(url.netloc, timeout=SECONDS)) as connection:
            # As the file system asks: some servers answer HEAD in another way. No body is read.
            connection.request("GET", f"{url.path or '/'}{'?' if url.query else ''}{url.query}")
            return connection.getresponse().status in GONE
    except (OSError, ValueError, client.HTTPException):
        return False


def _server(url: SplitResult, options: Mapping[str, Any]) -> tuple[str, int] | None:
    """Return host and port of the server that a URL is read from, if they are certain."""
    if url.scheme in S3:
        endpoint = _endpoint(options)
        url = urlsplit(endpoint if isinstance(endpoint, str) else "")
    elif options:
        return None
    try:
        port = url.port or PORTS.get(url.scheme)
    except ValueError:
        return None
    return (url.hostname, port) if url.hostname and port else None


def _endpoint(options: Mapping[str, Any]) -> Any:
    given = options.get("client_kwargs")
    kwargs = given if isinstance(given, Mapping) else {}
    chosen = options.get("endpoint_url") or kwargs.get("endpoint_url")
    ignored = "endpoint" in options or IGNORED in os.environ
    if chosen or ignored or _is_configured():
        return chosen
    return next((os.environ[name] for name in S3_ENDPOINTS if os.environ.get(name)), None)


def _behind_proxy() -> bool:
    return any(os.environ.get(form) for name in PROXIES for form in (name, name.upper()))


def _is_configured() -> bool:
    """Return whether fsspec may have options of its own, in variables or files."""
    in_variables = any(name.startswith("FSSPEC_") for name in os.environ)
    return in_variables or Path("~/.config/fsspec").expanduser().exists()
