"""Drivers that must fail, one after the other: python -m tests.deploy.tls.refused CASES.

CASES is JSON: by name, the arguments of the command, and files and settings of Dask's
configuration. Prints, by name, the exit code and what was written on stderr.
"""

import json
import sys

import dask
import distributed  # noqa: F401  (its defaults are part of the configuration)
from click.testing import CliRunner

from daskgmm.cli import main


def refused(arguments, files, settings):
    """Run one command with nothing of Dask's configuration but this and its defaults."""
    given = dask.config.merge(*dask.config.defaults, dask.config.collect(files, env={}))
    with dask.config.set(given), dask.config.set(settings):
        done = CliRunner().invoke(main, arguments)
    return {"code": done.exit_code, "stderr": done.stderr}


if __name__ == "__main__":
    cases = json.loads(sys.argv[1])
    print(json.dumps({name: refused(*case) for name, case in cases.items()}))
