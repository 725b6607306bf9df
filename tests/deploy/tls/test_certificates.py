"""What the script makes, and what it refuses."""

import os
import subprocess

import pytest

from tests.deploy.tls.shipped import FOLDER, make_certificates

ROLES = ("scheduler", "worker", "driver")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("made") / "cluster"
    done = make_certificates(path, "node-1.example.org", "192.0.2.1", "2001:db8::1")
    assert done.returncode == 0, done.stderr
    return path


def entries(folder):
    return {str(path.relative_to(folder)): path.stat().st_mode & 0o777 for path in _all(folder)}


def _all(folder):
    return sorted(folder.rglob("*"))


def openssl(*arguments):
    command = ["openssl", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def verified(folder, role, ca, purpose):
    """Ask OpenSSL, at its strictest, whether a certificate may be what `purpose` says."""
    options = ("-x509_strict", "-CAfile", ca / role / "ca.pem", "-purpose", purpose)
    return openssl("verify", *options, folder / role / "cert.pem").returncode == 0


def test_each_role_has_three_files_that_nobody_else_reads(folder):
    files = {f"{role}/{name}.pem": 0o600 for role in ROLES for name in ("ca", "cert", "key")}
    assert entries(folder) == {**dict.fromkeys(ROLES, 0o700), **files}
    assert [path.name for path in folder.parent.iterdir()] == ["cluster"]  # nor the CA's key


def test_algorithms_and_names(folder):
    shown = {role: openssl("x509", "-noout", "-text", "-in", folder / role / "cert.pem").stdout
             for role in ROLES}  # fmt: skip
    for role, text in shown.items():
        assert "ecdsa-with-SHA256" in text
        assert "prime256v1" in text
        assert f"CN = daskgmm {role}" in text
    names = "DNS:node-1.example.org, IP Address:192.0.2.1, IP Address:2001:DB8:0:0:0:0:0:1"
    assert names in shown["scheduler"]
    assert names in shown["worker"]
    assert "Alternative Name" not in shown["driver"]
    serials = [openssl("x509", "-noout", "-serial", "-in", folder / role / "cert.pem").stdout
               for role in ROLES]  # fmt: skip
    assert len(set(serials)) == 3


def test_a_driver_is_never_a_server(folder):
    for role in ROLES:
        assert verified(folder, role, folder, "sslclient")
        assert verified(folder, role, folder, "sslserver") == (role != "driver")


def test_another_cluster_has_another_ca(folder, foreign):
    for role in ROLES:
        assert verified(foreign, role, foreign, "sslclient")
        assert not verified(foreign, role, folder, "sslclient")


@pytest.mark.parametrize(("days", "given"), [(90, {}), (7, {"DAYS": "7"})])
def test_certificates_end(tmp_path, monkeypatch, days, given):
    monkeypatch.delenv("DAYS", raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert make_certificates(tmp_path / "c", "host").returncode == 0
    for name in ("ca", "cert"):
        file = tmp_path / "c" / "worker" / f"{name}.pem"
        for left, ended in ((days * 86400 - 3600, False), (days * 86400 + 3600, True)):
            found = openssl("x509", "-noout", "-checkend", left, "-in", file).returncode == 1
            assert found == ended


def test_nothing_is_overwritten(folder):
    before = {path: path.read_bytes() for path in _all(folder) if path.is_file()}
    for path in (folder, folder / "driver" / "key.pem", f"{folder}/"):
        refused = make_certificates(path, "host")
        assert refused.returncode == 1
        assert "is not overwritten; choose another folder" in refused.stderr
    assert {path: path.read_bytes() for path in _all(folder) if path.is_file()} == before
    assert [path.name for path in folder.parent.iterdir()] == ["cluster"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "usage: certificates.sh FOLDER HOST..."),
        (("{}/c",), "usage: certificates.sh FOLDER HOST..."),
        (("{}/c", "a,DNS:b"), "'a,DNS:b' is not a name"),
        (("{}/c", ""), "'' is not a name"),
    ],
)
def test_wrong_usage(tmp_path, arguments, words):
    command = [FOLDER / "certificates.sh", *(each.format(tmp_path) for each in arguments)]
    refused = subprocess.run(command, capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert words in refused.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("days", ["0", "-1", "ten"])
def test_no_number_of_days(tmp_path, monkeypatch, days):
    monkeypatch.setenv("DAYS", days)
    refused = make_certificates(tmp_path / "c", "host")
    assert refused.returncode == 2
    assert "is not a number of days" in refused.stderr
    assert not list(tmp_path.iterdir())


def test_openssl_that_fails_leaves_nothing_behind(tmp_path, monkeypatch):
    tools, out = tmp_path / "bin", tmp_path / "out"
    tools.mkdir()
    out.mkdir()
    (tools / "openssl").write_text("#!/bin/sh\necho no entropy >&2\nexit 1\n")
    (tools / "openssl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    refused = make_certificates(out / "c", "host")
    assert refused.returncode == 1
    assert "openssl failed: no entropy" in refused.stderr
    assert not list(out.iterdir())
