"""What is known of servers of URLs before the libraries of their file systems are imported."""

import http.server
import socket
import threading

import pytest

from daskgmm.storage.answering import PROXIES, S3_ENDPOINTS, no_server, none_of

ANSWERS = {"/there.csv": 200, "/moved.csv": 301, "/secret.csv": 403, "/broken.csv": 500}


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers GET with the code of a path, or 404."""

    def do_GET(self):
        self.send_response(ANSWERS.get(self.path, 404))
        self.end_headers()

    def log_message(self, *said):
        """Say nothing."""


@pytest.fixture(scope="module")
def server():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as found:
        thread = threading.Thread(target=found.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{found.server_port}"
        found.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def refusing():
    """Return an address of this machine at which nothing listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{bound.getsockname()[1]}"


@pytest.fixture(autouse=True)
def _environment(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name in S3_ENDPOINTS:
        monkeypatch.delenv(name, raising=False)


def test_a_server_without_a_file_says_so(server):
    assert none_of([f"{server}/no.csv"], None)
    assert none_of([f"{server}/a b/no.csv?x=1", f"{server}/no"], None) is False  # no valid request
    assert none_of([f"{server}/no.zarr/.zarray", f"{server}/no.zarr/zarr.json"], None)


@pytest.mark.parametrize("path", ANSWERS)
def test_any_other_answer_is_left_to_the_file_system(server, path):
    assert not none_of([f"{server}/no.csv", f"{server}{path}"], None)


def test_options_and_proxies_are_left_to_the_file_system(server, refusing, monkeypatch):
    assert not none_of([f"{server}/no.csv"], {"client_kwargs": {}})
    assert no_server(f"http://{refusing}/x.csv", {"client_kwargs": {}}) is None
    monkeypatch.setenv("HTTP_PROXY", server)
    assert not none_of([f"{server}/no.csv"], None)
    assert no_server(f"http://{refusing}/x.csv", None) is None


def test_servers_that_cannot_be_reached_are_named(server, refusing, monkeypatch):
    assert no_server(f"{server}/no.csv", None) is None
    assert not none_of([f"http://{refusing}/no.csv"], None)
    assert no_server(f"http://{refusing}/x.csv", None) == f"{refusing} refuses connections"

    def unknown(*asked, **named):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert no_server("https://nowhere.example/x", None) == "the name nowhere.example is not known"


def test_a_name_that_can_be_none_is_not_known_and_one_that_may_be_is_left(monkeypatch):
    long = "a" * 70
    assert no_server(f"https://{long}.example/x", None) == f"the name {long}.example is not known"

    def later(*asked, **named):
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", later)
    assert no_server("https://nowhere.example/x", None) is None


def test_who_asks_may_be_told_by_the_configuration_of_fsspec(server, monkeypatch):
    monkeypatch.setenv("FSSPEC_HTTP", '{"headers": {"Authorization": "Bearer x"}}')
    assert not none_of([f"{server}/no.csv"], None)


@pytest.mark.parametrize(
    "url", ["memory://a.csv", "file:///a.csv", "gs://b/a.csv", "http://h:x/a.csv"]
)
def test_urls_without_a_known_server_are_left_to_the_file_system(url):
    assert no_server(url, None) is None
    assert not none_of([url], None)


@pytest.mark.parametrize("options", ["endpoint_url", "client_kwargs"])
def test_the_endpoint_of_an_object_store_in_options(refusing, server, options):
    def given(endpoint):
        return {options: {"endpoint_url": endpoint} if options == "client_kwargs" else endpoint}

    told = no_server("s3://b/x.zarr", given(f"http://{refusing}"))
    assert told == f"{refusing} refuses connections"
    assert no_server("s3://b/x.zarr", given(server)) is None


@pytest.mark.parametrize("name", S3_ENDPOINTS)
def test_the_endpoint_of_an_object_store_in_the_environment(refusing, monkeypatch, name):
    assert no_server("s3://b/x.zarr", None) is None
    monkeypatch.setenv(name, f"http://{refusing}")
    assert no_server("s3a://b/x.zarr", None) == f"{refusing} refuses connections"
    # Options of obstore, and settings of other libraries, may name another server.
    assert no_server("s3://b/x.zarr", {"endpoint": "http://localhost:1"}) is None
    monkeypatch.setenv("FSSPEC_S3_ENDPOINT_URL", "http://localhost:1")
    assert no_server("s3://b/x.zarr", None) is None
