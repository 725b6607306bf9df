"""A killed driver goes on from the checkpoint on the server, to the same bits."""

import json
import pickle
import signal

import pytest

from daskgmm import GaussianMixture
from tests.drivers import Driver
from tests.promises.slow import bits
from tests.stores.fit_with_checkpoint import SETTINGS, fit_with_checkpoint
from tests.waiting import LONGEST

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

KILLS = 2


def test_kill_the_driver_and_resume(options, url, here, tmp_path):
    resumed = []
    arguments = url, here, tmp_path / "bits.pkl", json.dumps(options)
    for turn in range(KILLS + 1):
        with Driver(fit_with_checkpoint, *arguments) as process:
            resumed.append(process.stdout.readline().split()[-1])
            if turn < KILLS:
                for _ in range(3):
                    assert process.stdout.readline().startswith("Iterated")
                process.send_signal(signal.SIGKILL)
            else:
                assert process.wait(LONGEST) == 0
    assert int(resumed[-1]) > 0
    alone = GaussianMixture(**SETTINGS).fit(url, storage_options=options)
    assert pickle.loads((tmp_path / "bits.pkl").read_bytes()) == bits(alone)
