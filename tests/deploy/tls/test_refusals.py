"""Who has no certificate of the cluster's CA is refused, at once, and told so."""

import json

import pytest

from tests.deploy.tls.cluster import SCHEDULER
from tests.deploy.tls.hosts import address
from tests.deploy.tls.shipped import configuration
from tests.waiting import LONGEST

TLS = "distributed.comm.tls"
PLAIN = SCHEDULER.replace("tls://", "tcp://")
NO_FILE = "/nowhere.pem"


@pytest.fixture(scope="module")
def told(cluster, stored, made, foreign, tmp_path_factory):
    """Return, by name of the case, the one line that a driver says which was refused."""
    out = tmp_path_factory.mktemp("refused") / "m.json"
    ours, theirs = ([str(configuration(each, "driver"))] for each in (made, foreign))
    pem = {name: str(foreign / "driver" / f"{name}.pem") for name in ("cert", "key")}
    of_theirs = {f"{TLS}.client.{name}": path for name, path in pem.items()}
    cases = {
        "trusts another CA": (SCHEDULER, theirs, {}),
        "is of another CA": (SCHEDULER, ours, of_theirs),
        "no certificates": (SCHEDULER, [], {}),
        "no TLS": (PLAIN, [], {}),
        "no encryption": (PLAIN, ours, {}),
        "no CA": (SCHEDULER, ours, {f"{TLS}.ca-file": NO_FILE}),
        "no certificate": (SCHEDULER, ours, {f"{TLS}.client.cert": NO_FILE}),
        "another key": (SCHEDULER, ours, {f"{TLS}.client.key": pem["key"]}),
    }
    fit = ("fit", str(stored), "-k", "2", "-o", str(out), "--scheduler")
    asked = {name: ((*fit, at), files, values) for name, (at, files, values) in cases.items()}
    done = cluster.run("-m", "tests.deploy.tls.refused", json.dumps(asked))
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert not out.exists()
    return {name: _line(answer) for name, answer in json.loads(done.stdout).items()}


def _line(answer):
    assert answer["code"] == 1
    [line] = answer["stderr"].splitlines()
    assert line.startswith("Error: ")
    return line


def test_a_driver_that_trusts_another_ca(told):
    line = told["trusts another CA"]
    assert f"The scheduler at {SCHEDULER} and this process do not trust each other" in line
    assert "TLS certificate does not match" in line
    assert "certificates of the same CA" in line


def test_a_driver_with_a_certificate_of_another_ca(told, cluster):
    """It trusts the scheduler, and the scheduler does not trust it."""
    assert "do not trust each other" in told["is of another CA"]
    assert "unable to get local issuer certificate" in cluster.log("scheduler")


def test_a_driver_without_certificates(told):
    line = told["no certificates"]
    assert f"{SCHEDULER} takes certificates, and Dask's configuration has none" in line


def test_a_driver_without_tls(told):
    assert f"The scheduler at {PLAIN} closed the connection" in told["no TLS"]
    assert "if it has certificates, write tls:// here" in told["no TLS"]


def test_an_address_without_encryption(told):
    assert f"{PLAIN} is not encrypted" in told["no encryption"]


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("no CA", ["No such file", f"ca-file {NO_FILE}"]),
        ("no certificate", ["No such file", f"client.cert {NO_FILE}"]),
        ("another key", ["KEY_VALUES_MISMATCH", "belong together"]),
    ],
)
def test_certificates_that_cannot_be_used(told, case, words):
    assert "Certificates cannot be used" in told[case]
    for each in words:
        assert each in told[case]


def test_a_worker_that_trusts_another_ca(cluster, network, foreign):
    """It ends by itself; on the driver's host, where no worker runs."""
    process = cluster.start_worker("driver", foreign)
    assert process.wait(LONGEST) != 0
    assert "TLS certificate does not match" in cluster.log("driver")
    assert f"Register worker addr: tls://{address('driver')}" not in cluster.log("scheduler")
    assert network.processes("driver") == []
