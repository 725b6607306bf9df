"""The batch scripts by themselves, beside programs that stand in for Slurm, MPI and the fit."""

import os
import re
import signal
import subprocess

import pytest

from tests.deploy.slurm.site import SHIPPED
from tests.waiting import LONGEST, wait_for

SCRIPTS = ("fit.sbatch", "fit_mpi.sbatch")

# Each is bounded in time, whatever becomes of the script.
FIT = """\
echo "$@" >arguments
echo "$$" >pid
touch fitting
for _ in {1..200}; do
    [ -e end ] && exit "$(cat end)"
    sleep 0.05
done
exit 98
"""
MPIRUN = """\
touch ranks
[ -n "$HANGING" ] || echo '{}' >"$3"
for _ in {1..200}; do
    kill -0 "$PPID" && sleep 0.05 || exit 0
done
"""
SCONTROL = """\
echo "$@" >>asked
for _ in {1..200}; do
    [ -e answer ] && exit "$(cat answer)"
    sleep 0.05
done
"""


class Job:
    """A script that runs in a folder, as slurmd would run it."""

    def __init__(self, folder, script, begun="fitting", **environment):
        self.folder = folder
        programs = folder / "bin"
        programs.mkdir()
        stand_ins = {"daskgmm": FIT, "mpirun": MPIRUN, "scontrol": SCONTROL, "scancel": ""}
        for name, text in stand_ins.items():
            (programs / name).write_text(f"#!/bin/bash\n{text}")
            (programs / name).chmod(0o755)
        self.log = folder / "log"
        with self.log.open("wb") as out:
            self.process = subprocess.Popen(
                ["bash", str(SHIPPED / script), "rows.zarr"],
                cwd=folder,
                env={
                    "PATH": f"{programs}:{os.environ['PATH']}",
                    "SLURM_JOB_NAME": "fit",
                    "SLURM_JOB_ID": "7",
                    **environment,
                },
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        self.wait_for_file(begun)

    def wait_for_file(self, name):
        wait_for((self.folder / name).exists, name, pause=0.02)

    def say(self, name, code):
        """Let a stand-in end with an exit code."""
        (self.folder / "new").write_text(str(code))
        (self.folder / "new").rename(self.folder / name)

    def signal(self):
        """Send what Slurm sends when the walltime comes near."""
        self.process.send_signal(signal.SIGUSR1)

    def fit_is_gone(self):
        """Return whether the script knows that its fit has ended."""
        try:
            os.kill(int((self.folder / "pid").read_text()), 0)
        except ProcessLookupError:
            return True
        return False

    def told(self, words):
        wait_for(lambda: words in self.log.read_text(), words, pause=0.02)


@pytest.fixture
def start(tmp_path):
    """Return a function that starts a script; whatever is left at the end is killed."""
    jobs = []

    def started(script, **environment):
        jobs.append(Job(tmp_path, script, **environment))
        return jobs[-1]

    yield started
    for job in jobs:
        job.say("end", 97)
        job.process.kill()
        job.process.wait()


@pytest.mark.parametrize("code", [0, 3, 130, 143])
@pytest.mark.parametrize("script", SCRIPTS)
def test_a_fit_that_cannot_be_requeued_goes_on_to_its_own_end(start, script, code):
    job = start(script)
    job.say("answer", 1)
    job.signal()
    job.told("resume in a new job with CHECKPOINT=fit-7.ckpt")
    assert (job.folder / "asked").read_text() == "requeue 7\n"
    assert job.process.poll() is None
    job.say("end", code)
    assert job.process.wait(LONGEST) == code


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_fit_that_was_requeued_often_enough_goes_on_too(start, script):
    job = start(script, SLURM_RESTART_COUNT="4", MAX_RESTARTS="4")
    job.signal()
    job.told("Requeued 4 times already")
    job.told("CHECKPOINT=fit-7.ckpt")
    assert job.process.poll() is None
    job.say("end", 0)
    assert job.process.wait(LONGEST) == 0
    assert not (job.folder / "asked").exists()


def test_ranks_that_never_have_a_scheduler_end_the_job(start):
    """As where one fails, for its interface, and the others wait for it."""
    job = start("fit_mpi.sbatch", begun="ranks", HANGING="yes", START_SECONDS="1")
    assert job.process.wait(LONGEST) == 1
    job.told("often the nodes do not have INTERFACE")
    assert not (job.folder / "fitting").exists()


@pytest.mark.parametrize("answer", [0, 1])
@pytest.mark.parametrize("script", SCRIPTS)
def test_a_fit_that_ends_while_slurm_is_asked(start, script, answer):
    job = start(script)
    job.signal()
    job.wait_for_file("asked")
    job.say("end", 3)
    wait_for(job.fit_is_gone, "the fit to end")
    assert job.process.poll() is None
    job.say("answer", answer)
    assert job.process.wait(LONGEST) == 3


@pytest.mark.parametrize(
    ("restarts", "checkpoint", "replaced"),
    [
        *(("1", "there.ckpt", True), ("0", "there.ckpt", False)),
        *(("1", "nowhere.ckpt", False), ("1", "s3://bucket/there.ckpt", False)),
    ],
)
@pytest.mark.parametrize("script", SCRIPTS)
def test_a_model_is_replaced_only_from_a_checkpoint_that_is_there(
    start, tmp_path, script, restarts, checkpoint, replaced
):
    (tmp_path / "there.ckpt").touch()
    job = start(script, SLURM_RESTART_COUNT=restarts, CHECKPOINT=checkpoint)
    given = (job.folder / "arguments").read_text().split()
    assert given[given.index("--checkpoint") + 1] == checkpoint
    assert ("--overwrite" in given) == replaced
    job.say("end", 0)
    assert job.process.wait(LONGEST) == 0


def test_both_scripts_go_back_and_wait_in_the_same_way():
    """Neither can be read from a file beside it: Slurm runs a copy, in a folder of its own."""
    one, other = ((SHIPPED / script).read_text() for script in SCRIPTS)
    for lines in (r"# A requeued job keeps.*?^trap go_back USR1$", r"^signalled=yes$.*"):
        found = [re.search(lines, text, re.MULTILINE | re.DOTALL)[0] for text in (one, other)]
        assert found[0] == found[1]
