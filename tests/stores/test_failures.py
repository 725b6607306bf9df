"""Stores that fail, over HTTP; and what messages do not tell of them."""

import time
import traceback

import dask
import pytest

from daskgmm import GaussianMixture, load_model, open_data, save_model
from daskgmm.em.events import PassEnded
from daskgmm.errors import CheckpointError, SourceError
from daskgmm.storage.address import Address
from tests.free_ports import free_ports
from tests.promises.slow import bits
from tests.stores.conftest import (
    BUCKET,
    KEY,
    SECRET,
    obstore_options,
    s3fs_options,
    through_obstore,
)
from tests.stores.proxy import proxy_to

SETTINGS = {"n_components": 2, "random_state": 0, "max_iter": 2, "tol": 0.0}

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture(params=["s3fs", "obstore"])
def options_for(request):
    """Make options of the library that reads s3:// out of an endpoint."""
    if request.param == "s3fs":
        yield s3fs_options
    else:
        with through_obstore():
            yield obstore_options


@pytest.fixture
def nobody():
    """An address where nothing listens."""
    return f"http://127.0.0.1:{free_ports(1)[0]}"


def told(error):
    """Return all that a traceback shows."""
    return "".join(traceback.format_exception(error))


def test_reads_that_fail_twice_and_then_work(place, options_for, endpoint, url, options):
    events = []
    with proxy_to(endpoint, failures=2) as proxy:
        mixture = GaussianMixture(**SETTINGS).fit(
            url, listen=events.append, storage_options=options_for(proxy.endpoint)
        )
        passes = sum(isinstance(event, PassEnded) for event in events)
        # The libraries try once, so the second and the third time are ours.
        assert sorted(proxy.reads.values()) == [passes + 2] * 3
    direct = GaussianMixture(**SETTINGS).fit(url, storage_options=options_for(endpoint))
    assert bits(mixture) == bits(direct)


@pytest.mark.parametrize("retries", [0, 1])
def test_more_failures_than_retries(place, options_for, endpoint, url, retries):
    last = 20_000 if retries else 60_000  # a chunk by itself, after a read of all of them
    with (
        proxy_to(endpoint, failures=1000) as proxy,
        dask.config.set({"daskgmm.retries": retries}),
        pytest.raises(SourceError, match=rf"Rows 0 to {last} of {url} cannot be read") as caught,
    ):
        GaussianMixture(**SETTINGS).fit(url, storage_options=options_for(proxy.endpoint))
    assert "the server is restarted" in str(caught.value)
    assert "Debug source" not in str(caught.value)
    assert {SECRET, KEY}.isdisjoint(told(caught.value).split())
    first = next(reads for path, reads in proxy.reads.items() if "/c/0/" in path)
    assert first == 1 + retries


@pytest.mark.parametrize("name", [f"{BUCKET}/nothing.zarr", "no-such-bucket/x.zarr"])
def test_what_is_not_there(options_for, endpoint, name):
    with pytest.raises(SourceError, match=f"s3://{name} does not exist, .*at that address"):
        GaussianMixture(2).fit(f"s3://{name}", storage_options=options_for(endpoint))


def test_an_endpoint_where_nobody_is(options_for, nobody, url, X):
    began = time.monotonic()
    with pytest.raises(SourceError, match=f"(?s){nobody}.*Check the address .*the endpoint"):
        GaussianMixture(2).fit(url, storage_options=options_for(nobody))
    nowhere = f"(?s)No file can be written.*{nobody}.*Check the address"
    with pytest.raises(CheckpointError, match=nowhere):
        GaussianMixture(2).fit(X, checkpoint=url, storage_options=options_for(nobody))
    # s3fs itself tries five times, over two seconds.
    assert time.monotonic() - began < 20


def test_a_server_that_goes_away_in_the_middle(options_for, endpoint, url):
    with proxy_to(endpoint) as proxy:
        opened = open_data(url, options_for(proxy.endpoint))
    with (
        dask.config.set({"daskgmm.retries": 1}),
        pytest.raises(SourceError, match=rf"of {url} cannot be read: .*{proxy.endpoint}"),
    ):
        GaussianMixture(2).fit(opened)


def test_an_option_that_the_library_does_not_know(endpoint, url):
    """Its name is told, and no value of any."""
    options = {**s3fs_options(endpoint), "secrt": SECRET[::-1]}
    with pytest.raises(SourceError, match="secrt") as caught:
        open_data(url, options)
    assert SECRET[::-1] not in told(caught.value)
    assert SECRET not in told(caught.value)


def test_servers_that_repeat_keys_are_not_repeated(place, options_for, endpoint, url, caplog, X):
    def refuse(headers):
        return f"the key {KEY} with {SECRET} may not do that"

    # s3fs first asks for the head, and then there is no message.
    masked = r"the key \*\*\* with \*\*\*|PermissionError: Forbidden"
    with proxy_to(endpoint, refuse=refuse) as proxy:
        options = options_for(proxy.endpoint)
        with pytest.raises(SourceError, match=masked) as opening:
            GaussianMixture(2).fit(url, storage_options=options)
        with pytest.raises(CheckpointError, match=masked) as loading:
            GaussianMixture(2).fit(X, checkpoint=url, storage_options=options)
        proxy.refuse = None
        opened = open_data(url, options)
        proxy.refuse = refuse
        with (
            dask.config.set({"daskgmm.retries": 0}),
            pytest.raises(SourceError, match=masked) as reading,
        ):
            GaussianMixture(2).fit(opened)
    for shown in (*(told(each.value) for each in (opening, loading, reading)), caplog.text):
        assert KEY not in shown
        assert SECRET not in shown


def test_options_stay_out_of_whatever_is_written(options, url, here, tmp_path, caplog):
    events = []
    with caplog.at_level("DEBUG", logger="daskgmm"):
        mixture = GaussianMixture(**SETTINGS).fit(
            url, checkpoint=here, listen=events.append, storage_options=options
        )
    save_model(mixture, tmp_path / "model.json")
    written = [
        Address.of(here, options).read().decode(),
        (tmp_path / "model.json").read_text(),
        repr(events),
        repr(vars(mixture)),
        repr(vars(load_model(tmp_path / "model.json"))),
        caplog.text,
    ]
    for text in written:
        assert KEY not in text
        assert SECRET not in text


def writing_refused(headers):
    """Refuse a request that has a body."""
    return f"{KEY} may not write" if int(headers.get("Content-Length") or 0) else None


def test_a_checkpoint_that_is_refused_is_a_warning_without_keys(options, endpoint, here, X):
    """The store may be read, and then not be written to."""
    Address.of(here, options).replace(b"x")
    with proxy_to(endpoint) as proxy:

        def listen(event):
            proxy.refuse = writing_refused

        with pytest.warns(UserWarning, match=r"cannot be written: .*\*\*\* may not write"):
            GaussianMixture(**SETTINGS).fit(
                X,
                checkpoint=f"{here}.new",
                listen=listen,
                storage_options=s3fs_options(proxy.endpoint),
            )
