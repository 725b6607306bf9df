"""The files and commands that are shipped, as the tests use them: nothing is repeated here."""

import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.deploy.tls.hosts import HOSTS, address

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "deploy" / "tls"
PLACE = "/etc/daskgmm/tls"
"""Where the shipped configuration expects certificates."""


def make_certificates(folder, *names):
    """Run the script; return the process, which has ended."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl: apt-get install openssl")
    command = [str(FOLDER / "certificates.sh"), str(folder), *names]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def certificates(folder):
    """Make the certificates of our four hosts; return the folder."""
    done = make_certificates(folder, *HOSTS, *map(address, HOSTS))
    assert done.returncode == 0, done.stderr
    return folder


def configuration(made, role):
    """Return the folder of the configuration of a role, whose files are in `made`."""
    folder = made / role / "config"
    folder.mkdir(exist_ok=True)
    text = (FOLDER / "tls.yaml").read_text()
    assert PLACE in text
    (folder / "tls.yaml").write_text(text.replace(PLACE, str(made / role)))
    return folder


def command(begins):
    """Return the one command of the README that begins so, as arguments."""
    text = (FOLDER / "README.md").read_text().replace("\\\n", " ")
    found = [line.strip() for line in text.splitlines() if line.strip().startswith(begins)]
    assert len(found) == 1, f"{begins}: {found}"
    return shlex.split(found[0])
