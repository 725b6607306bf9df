"""A Slurm of two virtual nodes on this machine, which enforces memory: started, asked, stopped."""

import os
import shutil
import signal
import socket
import subprocess
from contextlib import suppress
from pathlib import Path

import psutil

from tests.free_ports import free_ports
from tests.waiting import LONGEST, wait_for

MEMORY_GROUPS = Path("/sys/fs/cgroup/memory")
FREEZER = Path("/sys/fs/cgroup/freezer")
NODE_MEGABYTES = 8000
NODE_CPUS = 8
"""More than a node has: most processes of a test wait for each other."""

CONFIGURATION = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
SlurmctldPort={ports[0]}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
ProctrackType=proctrack/cgroup
TaskPlugin=task/cgroup
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MailProg=/bin/true
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerType=sched/backfill
SchedulerParameters=sched_min_interval=100000,batch_sched_delay=0,sched_interval=1,bf_interval=1
MpiDefault=none
ReturnToService=2
KillWait=2
MinJobAge=600
SlurmdParameters=config_overrides
PartitionName=all Nodes={names[0]},{names[1]} Default=YES MaxTime=INFINITE State=UP
NodeName={names[0]} NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[1]} {size}
NodeName={names[1]} NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[2]} {size}
"""

CGROUPS = """\
CgroupPlugin=cgroup/v1
CgroupMountpoint=/sys/fs/cgroup
CgroupAutomount=no
ConstrainRAMSpace=yes
"""


def missing():
    """Return why there can be no Slurm here, in words; None if there can."""
    for program in ("slurmctld", "slurmd", "sbatch", "munged"):
        if shutil.which(program, path=_path()) is None:
            return f"no {program}: apt-get install -y --no-install-recommends slurm-wlm munge"
    if os.geteuid() != 0:
        return "not root: slurmd starts jobs and makes control groups"
    for group in (MEMORY_GROUPS, FREEZER):
        if not os.access(group / "cgroup.procs", os.W_OK):
            return f"no writable control group (version 1) at {group}: memory cannot be enforced"
    return None


def _path():
    return f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"


class Slurm:
    """Daemons with their configuration, keys, state and logs in one folder.

    Leaving the context stops all that was started and removes the control groups.
    """

    def __init__(self, folder):
        self.folder = Path(folder)
        self.names = [f"n{number}-{os.getpid()}" for number in (1, 2)]
        self.daemons = {}
        self.environment = {
            **os.environ,
            "PATH": _path(),
            "SLURM_CONF": str(self.folder / "slurm.conf"),
        }

    def __enter__(self):
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *error):
        self._stop()

    def _start(self):
        self._configure()
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o400)
        names = ("key-file=munge.key", "socket=munge.socket", "pid-file=munge.pid",
                 "log-file=munge.log", "seed-file=munge.seed")  # fmt: skip
        files = [f"--{name.replace('=', f'={self.folder}/')}" for name in names]
        self._daemon("munged", "--foreground", "--force", "--num-threads=2", *files)
        wait_for((self.folder / "munge.socket").exists, "munged")
        self._daemon("slurmctld", "-D")
        for name in self.names:
            self._daemon("slurmd", "-D", "-N", name)
        wait_for(self._ready, "nodes to be idle")

    def _configure(self):
        size = f"CPUs={NODE_CPUS} RealMemory={NODE_MEGABYTES}"
        host = socket.gethostname().split(".")[0]
        (self.folder / "slurm.conf").write_text(
            CONFIGURATION.format(
                host=host, folder=self.folder, ports=free_ports(3), names=self.names, size=size
            )
        )
        (self.folder / "cgroup.conf").write_text(CGROUPS)
        (self.folder / "state").mkdir()

    def _daemon(self, program, *arguments):
        log = self.folder / f"{program}-{len(self.daemons)}.out"
        with log.open("wb") as out:
            process = subprocess.Popen(
                [program, *arguments],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.daemons[log] = process

    def _ready(self):
        for log, process in self.daemons.items():
            if process.poll() is not None:
                raise AssertionError(f"{process.args[0]} ended: {log.read_text()[-2000:]}")
        states = self.ask("sinfo", "-h", "-o", "%T %D", check=False)
        return states.split() == ["idle", "2"]

    def ask(self, *command, check=True):
        """Run a command of Slurm; return what it prints."""
        done = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, timeout=LONGEST
        )
        if check and done.returncode:
            raise AssertionError(f"{' '.join(command)}: {done.stderr}")
        return done.stdout.strip()

    def submit(self, *arguments, folder=None, environment=()):
        """Run sbatch in a folder; return the number of the job."""
        done = subprocess.run(
            ["sbatch", "--parsable", *map(str, arguments)],
            env={**self.environment, **dict(environment)},
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=LONGEST,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def job(self, number):
        """Return what the controller knows of a job, as words by name."""
        shown = self.ask("scontrol", "-o", "show", "job", number)
        return dict(word.split("=", 1) for word in shown.split() if "=" in word)

    def state(self, number):
        """Return the state of a job: RUNNING, COMPLETED, ..."""
        return self.job(number)["JobState"]

    def jobs(self, *states):
        """Return the numbers and names of jobs in these states."""
        shown = self.ask("squeue", "-h", "-o", "%i %j", "-t", ",".join(states))
        return dict(line.split() for line in shown.splitlines())

    def wait(self, number):
        """Wait for the end of a job; return its state and its exit code."""
        ended = {"COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "OUT_OF_MEMORY", "NODE_FAIL"}
        wait_for(lambda: self.state(number) in ended, f"job {number} to end")
        found = self.job(number)
        return found["JobState"], int(found["ExitCode"].split(":")[0])

    def limit(self, number, minutes, check=True):
        """Set the walltime of a job, which has not ended."""
        self.ask("scontrol", "update", f"jobid={number}", f"TimeLimit={minutes}", check=check)

    def requeue(self, number):
        """Have a job run again, as soon as the credentials of its last run have expired."""
        self.ask("scontrol", "requeue", number)
        wait_for(lambda: self.state(number) == "RUNNING", f"job {number} to run again")

    def processes(self, number):
        """Return the processes of a job: its script, and what that started."""
        groups = [
            group
            for name in self.names
            for group in FREEZER.glob(f"slurm_{name}/uid_*/job_{number}/step_*/cgroup.procs")
        ]
        return [int(process) for group in groups for process in _content(group).split()]

    def listening(self, number):
        """Return the addresses that processes of a job listen on, one for each port."""
        processes = self.processes(number)
        return [
            each.laddr.ip
            for each in psutil.net_connections("tcp")
            if each.status == psutil.CONN_LISTEN and each.pid in processes
        ]

    def clear(self):
        """Cancel all jobs, and wait until none is left."""
        self.ask("scancel", "-u", "root", check=False)
        wait_for(lambda: not self.ask("squeue", "-h"), "jobs to end")

    def _stop(self):
        if any("slurmctld" in log.name for log in self.daemons):
            try:
                self.clear()
            except (AssertionError, subprocess.SubprocessError):
                self._kill_jobs()
        for process in reversed(self.daemons.values()):
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._kill_jobs()
        self._remove_groups()

    def _groups(self):
        """Return our control groups, the innermost first."""
        tops = [
            top
            for controller in MEMORY_GROUPS.parent.iterdir()
            for name in self.names
            for top in controller.glob(f"slurm_{name}")
        ]
        return [
            group
            for top in tops
            for group in sorted([top, *top.rglob("*")], reverse=True)
            if group.is_dir()
        ]

    def _kill_jobs(self):
        """End what jobs have left: by the control groups that hold it, so nothing else."""
        for group in self._groups():
            kill(_content(group / "cgroup.procs").split())

    def _remove_groups(self):
        def removed():
            for group in self._groups():
                try:
                    group.rmdir()
                except OSError:  # its last process is on its way out
                    return False
            return True

        wait_for(removed, "control groups to be empty")


def kill(processes):
    """Kill processes, of which some may have ended."""
    for process in processes:
        with suppress(ProcessLookupError):
            os.kill(int(process), signal.SIGKILL)


def _content(path):
    """Return what a file holds; nothing if it is gone."""
    try:
        return path.read_text()
    except OSError:
        return ""
