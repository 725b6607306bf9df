"""What README.md tells users to make themselves."""

import re
import subprocess

import yaml

from tests.deploy.kubernetes.rendering import DEPLOY, kubectl
from tests.waiting import LONGEST

README = (DEPLOY / "README.md").read_text()


def secret(folder):
    """Return the Secret that the page makes, of the file that it shows."""
    (file,) = re.findall(r"^```\n((?:AWS_\w+=.*\n)+)```$", README, re.MULTILINE)
    (folder / "s3.env").write_text(file)
    (arguments,) = re.findall(r"^kubectl (create secret .*)$", README, re.MULTILINE)
    made = subprocess.run(
        [kubectl(), *arguments.split(), "--dry-run=client", "--output=yaml"],
        cwd=folder, capture_output=True, text=True, check=True, timeout=LONGEST,
    )  # fmt: skip
    return yaml.safe_load(made.stdout)


def own_overlay():
    """Return the kustomization that the page shows."""
    (shown,) = re.findall(r"^```yaml\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    return yaml.safe_load(shown)


def claim():
    """Return the claim for the data."""
    return yaml.safe_load((DEPLOY / "claim.yaml").read_text())
