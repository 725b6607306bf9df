"""The compose file: what it says agrees with itself, and its commands are real ones."""

import re
import shlex

import click
import pytest
from dask.utils import parse_bytes

from tests.deploy.command_lines import parsed
from tests.deploy.image.files import README, compose

MIB = 2**20


@pytest.fixture(scope="module")
def services():
    return compose()["services"]


def read(command):
    return parsed(shlex.split(command))


def size(text):
    """Return bytes; compose's m is 1024 ** 2."""
    number, unit = re.fullmatch(r"(\d+)([mg])", text).groups()
    return int(number) * {"m": MIB, "g": 1024 * MIB}[unit]


def limit(service):
    return size(service["deploy"]["resources"]["limits"]["memory"])


def test_commands_are_real_ones(services):
    assert read(services["scheduler"]["command"])
    worker = read(services["worker"]["command"])
    assert worker["scheduler"] == "tcp://scheduler:8786"
    assert worker["nthreads"] == 1
    assert worker["nanny"] is True
    assert worker["dashboard"] is False


@pytest.mark.parametrize(
    "wrong", ["dask worker --memory 2GiB", "dask scheduler --dashboard-adress :1", "daskgmm fit x"]
)
def test_commands_that_are_wrong_are_noticed(wrong):
    with pytest.raises((click.UsageError, ValueError)):
        read(wrong)


def test_the_commands_of_the_readme_are_real_ones():
    text = README.read_text(encoding="utf-8").replace("\\\n", " ")
    found = re.findall(r"daskgmm (?:fit|plan|predict) [^`\n]+", text)
    assert {command.split()[1] for command in found} == {"fit", "plan", "predict"}
    for command in found:
        assert read(command)


def test_memory_limits_agree(services):
    worker = services["worker"]
    (tmp,) = worker["tmpfs"]
    nanny = 128 * MIB  # 72 were measured, the process that watches semaphores included
    needed = parse_bytes(read(worker["command"])["memory_limit"]) + nanny
    assert needed + size(tmp.removeprefix("/tmp:size=")) <= limit(worker)


def test_only_the_dashboard_is_published_and_only_on_loopback(services):
    ports = [port for service in services.values() for port in service.get("ports", ())]
    assert ports == ["127.0.0.1:8787:8787"]
    assert not any("network_mode" in service for service in services.values())


def test_every_service_is_locked_in(services):
    assert set(services) == {"scheduler", "worker", "driver"}
    for service in services.values():
        assert service["image"] == "daskgmm"
        assert service["user"] == "1000:1000"
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges"]
        assert "privileged" not in service
        assert service["volumes"] == ["/data:/work"]


def test_two_workers_and_no_driver_until_it_is_asked_for(services):
    assert services["worker"]["deploy"]["replicas"] == 2
    assert services["driver"]["profiles"] == ["driver"]
    assert services["driver"]["depends_on"] == ["scheduler", "worker"]
