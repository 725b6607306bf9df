"""A killed driver goes on from the checkpoint on the server, to the same bits."""

import json
import pickle
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from daskgmm import GaussianMixture
from tests.promises.slow import bits
from tests.stores.fit_with_checkpoint import SETTINGS

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

ROOT = Path(__file__).parents[2]
KILLS = 2


def test_kill_the_driver_and_resume(options, url, here, tmp_path):
    resumed = []
    command = [
        *(sys.executable, "-m", "tests.stores.fit_with_checkpoint"),
        *(url, here, str(tmp_path / "bits.pkl"), json.dumps(options)),
    ]
    for turn in range(KILLS + 1):
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
            resumed.append(process.stdout.readline().split()[-1])
            if turn < KILLS:
                for _ in range(3):
                    assert process.stdout.readline().startswith("Iterated")
                process.send_signal(signal.SIGKILL)
            else:
                assert process.wait(60) == 0
    assert int(resumed[-1]) > 0
    alone = GaussianMixture(**SETTINGS).fit(url, storage_options=options)
    assert pickle.loads((tmp_path / "bits.pkl").read_bytes()) == bits(alone)
