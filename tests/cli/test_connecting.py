"""Why there is no connection to a scheduler, without a network: tests/deploy/tls has one."""

import click
import dask
import pytest
from distributed.comm import CommClosedError

from daskgmm.cli.clusters.connecting import check_certificates, no_connection

TLS = "distributed.comm.tls"
ADDRESS = "tls://scheduler:8786"


def test_plain_and_unknown_addresses_need_no_certificates():
    for address in ("tcp://scheduler:8786", "scheduler:8786", "nonsense://x"):
        check_certificates(address)


def test_certificates_are_missing():
    with pytest.raises(click.ClickException, match=r"Dask's configuration has none"):
        check_certificates(ADDRESS)


def test_encryption_is_required():
    with (
        dask.config.set({"distributed.comm.require-encryption": True}),
        pytest.raises(click.ClickException, match=r"is not encrypted.*Write tls://"),
    ):
        check_certificates("tcp://scheduler:8786")


def test_a_key_in_the_configuration_is_never_shown(tmp_path):
    secret = "-----BEGIN PRIVATE KEY-----\nsecret\n"
    settings = {f"{TLS}.ca-file": str(tmp_path / "ca.pem"), f"{TLS}.client.cert": secret}
    with (
        dask.config.set({**settings, f"{TLS}.client.key": secret}),
        pytest.raises(click.ClickException, match=r"cannot be used") as raised,
    ):
        check_certificates(ADDRESS)
    told = raised.value.message
    assert "secret" not in told
    assert f"ca-file {tmp_path / 'ca.pem'}, client.cert text, client.key text" in told


@pytest.mark.parametrize(
    ("address", "error", "words"),
    [
        (ADDRESS, CommClosedError("unknown ca"), "do not trust each other: unknown ca"),
        (ADDRESS, ValueError("IOStream is not idle"), "if the scheduler has none, write tcp://"),
        ("tcp://x:1", CommClosedError("reset"), "closed the connection: reset"),
        ("tcp://x:1", OSError("Timed out"), "answers at tcp://x:1, of --scheduler: Timed out."),
        (ADDRESS, OSError("Timed out"), f"answers at {ADDRESS}, of --scheduler: Timed out."),
    ],
)
def test_advice(address, error, words):
    assert words in no_connection(address, "--scheduler", error)
