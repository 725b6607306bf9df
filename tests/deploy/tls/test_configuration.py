"""The shipped configuration: Dask knows every setting, and makes of them what the README says."""

import itertools
import ssl
from pathlib import Path

import dask
import distributed
import pytest
import yaml
from distributed import Security

from tests.deploy.tls.shipped import FOLDER, command, configuration

DEFAULTS = yaml.safe_load((Path(distributed.__file__).parent / "distributed.yaml").read_text())
COMMANDS = ("dask scheduler", "dask worker")


def settings(tree, *above):
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from settings(value, *above, name)
        else:
            yield (*above, name)


@pytest.mark.parametrize("file", ["tls.yaml", "timeouts.yaml"])
def test_dask_has_every_setting(file):
    shipped = set(settings(yaml.safe_load((FOLDER / file).read_text())))
    assert shipped
    assert shipped <= set(settings(DEFAULTS))


@pytest.mark.parametrize("role", ["scheduler", "worker", "driver"])
def test_certificates_of_the_ca_are_asked_for_and_names_are_not(made, role):
    shipped = dask.config.collect([str(configuration(made, role))], env={})
    with dask.config.set(dask.config.merge(dask.config.config, shipped)):
        security = Security()
        assert security.require_encryption
        for each in ("scheduler", "worker", "client"):
            for arguments in (security.get_connection_args, security.get_listen_args):
                context = arguments(each)["ssl_context"]
                assert context.verify_mode == ssl.CERT_REQUIRED
                assert context.minimum_version == ssl.TLSVersion.TLSv1_3
                assert not context.check_hostname
                assert len(context.get_ca_certs()) == 1  # not those of the system


def test_connections_are_given_up_no_sooner_than_dask_can():
    comm = yaml.safe_load((FOLDER / "timeouts.yaml").read_text())["distributed"]["comm"]
    assert dask.utils.parse_timedelta(comm["timeouts"]["tcp"]) >= 11


@pytest.mark.parametrize("begins", COMMANDS)
def test_commands_say_where_they_listen(begins):
    arguments = command(begins)
    given = dict(itertools.pairwise(arguments))
    assert given["--host"].startswith("10.0.0.")  # of the example: one address, no wildcard
    assert given["--dashboard-address"].startswith("127.0.0.1:")
