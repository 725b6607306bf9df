"""Scheduler, two workers and the driver on four addresses, with TLS; the driver is unchanged."""

import json
from pathlib import Path

import numpy as np
from click.testing import CliRunner

from daskgmm import load_model
from daskgmm.cli import main
from daskgmm.cli.exit_codes import NOT_CONVERGED
from tests.deploy.tls.cluster import PORT, SCHEDULER, WORKERS
from tests.deploy.tls.hosts import address


def test_nothing_listens_where_the_readme_did_not_say(cluster, network):
    listening = network.listening("scheduler")
    assert sorted(listening) == ["127.0.0.1:8787", f"{address('scheduler')}:{PORT}"]
    for worker in WORKERS:
        hosts = [each.rpartition(":")[0] for each in network.listening(worker)]
        # Worker and nanny, and the dashboard of the worker.
        assert sorted(hosts) == ["127.0.0.1", address(worker), address(worker)]


def test_the_command_ends_in_the_bits_of_a_quiet_local_fit(cluster, stored, tmp_path):
    fit = ("fit", str(stored), "-k", "4", "--max-iter", "3", "--tol", "0")
    far, here, log = (str(tmp_path / name) for name in ("far.json", "here.json", "events.jsonl"))
    options = ("--out", far, "--log-json", log, "--scheduler", SCHEDULER)
    done = cluster.run("-m", "daskgmm.cli", *fit, *options)
    assert done.returncode == NOT_CONVERGED, done.stderr
    alone = CliRunner().invoke(main, [*fit, "--out", here, "--threads", "1"])
    assert alone.exit_code == NOT_CONVERGED, alone.output
    for name in ("weights_", "means_", "covariances_"):
        found, expected = (getattr(load_model(path), name) for path in (far, here))
        assert np.asarray(found).tobytes() == np.asarray(expected).tobytes()
    events = [json.loads(line)["event"] for line in Path(log).read_text().splitlines()]
    assert events.count("Iterated") == 3


def test_python_works_unchanged(cluster):
    """`Client(address)` in a script; tls:// is what an address without a scheme means."""
    for given in (SCHEDULER, SCHEDULER.removeprefix("tls://")):
        script = (
            "import json; from distributed import Client\n"
            f"with Client({given!r}) as client:\n"
            "    assert client.submit(pow, 2, 3).result() == 8\n"
            "    print(json.dumps(list(client.nthreads())))"
        )
        done = cluster.run("-c", script)
        assert done.returncode == 0, done.stderr
        found = sorted(each.rpartition(":")[0] for each in json.loads(done.stdout))
        assert found == [f"tls://{address(worker)}" for worker in WORKERS]
