"""The demo writes what it says, into a folder of its own."""

import errno
import sys

import numpy as np
import pytest
import zarr
from matplotlib.image import imread

from daskgmm.cli.commands.demo import program
from daskgmm.models.model_file import load_model
from tests.cli.data import filled_up_at

pytestmark = pytest.mark.slow

FILES = {"pixels.zarr", "model.json", "labels.zarr", "segmentation.png", "made-by-daskgmm-demo.txt"}


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_writes_its_files(here, call):
    result = call("demo", "--components", 4)
    assert result.exit_code == 0
    folder = here / "daskgmm-demo"
    assert {path.name for path in folder.iterdir()} == FILES
    height, width, _ = imread(folder / "segmentation.png").shape
    assert width > 2 * 640
    assert height > 427
    pixels = zarr.open_array(folder / "pixels.zarr", mode="r")
    labels = zarr.open_array(folder / "labels.zarr" / "label", mode="r")
    assert (pixels.shape, pixels.dtype, pixels.nchunks) == ((273280, 3), np.uint8, 9)
    assert labels.shape == (273280,)
    np.testing.assert_array_equal(np.unique(labels[:]), np.arange(4))
    mixture = load_model(folder / "model.json")
    np.testing.assert_array_equal(labels[:1000], mixture.predict(pixels[:1000]))
    assert "273,280 pixels in 9 chunks; 4 components" in result.stdout
    assert f"{mixture.n_iter_ + 3} passes (survey, sample, iterations, labels)" in result.stdout
    shown = [line.split()[0] for line in result.stderr.splitlines() if "rows/s" in line]
    assert shown[:3] == ["survey", "sample", "iteration"]
    assert 4 <= len(shown) <= mixture.n_iter_ + 2  # of quick iterations the first and the last


def test_the_commands_it_names_run(here, call):
    story = call("demo", "--image", "china.jpg").stdout.replace("\\\n", "")
    commands = [line.split()[1:] for line in story.splitlines() if line.startswith("  daskgmm ")]
    assert len(commands) == 4
    for command in commands:
        assert call(*command).exit_code == 0


def test_the_commands_it_names_are_spelled_as_it_was_called(here, monkeypatch):
    """By its path, unless the shell finds it."""
    monkeypatch.setattr("sys.argv", [".venv/bin/daskgmm", "demo"])
    assert program() == ".venv/bin/daskgmm"
    monkeypatch.setattr("shutil.which", lambda name: str(here / ".venv" / "bin" / name))
    assert program() == "daskgmm"
    monkeypatch.setattr("sys.argv", ["/somewhere/pytest"])
    assert program() == "daskgmm"


def test_runs_again_and_keeps_what_is_not_its_own(here, call):
    assert call("demo", "-k", 2, "-q", "--out", "d").output == ""
    (here / "d" / "mine.txt").write_text("precious")
    assert call("demo", "-k", 3, "-q", "--out", "d").exit_code == 0
    assert load_model("d/model.json").n_components == 3
    assert (here / "d" / "mine.txt").read_text() == "precious"


def test_a_folder_of_others_is_refused(here, call):
    (here / "labels.zarr").mkdir()
    (here / "file").write_text("precious")
    for out in (".", "file"):
        result = call("demo", "--out", out)
        assert result.exit_code == 1
        assert "was not made by the demo" in result.stderr
    assert {path.name for path in here.iterdir()} == {"labels.zarr", "file"}


@pytest.mark.parametrize("module", ["matplotlib", "PIL"])
def test_names_what_is_missing(here, call, monkeypatch, module):
    for name in [name for name in sys.modules if name.split(".")[0] == module]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)
    result = call("demo")
    assert result.exit_code == 1
    assert "pip install 'daskgmm[plot]'" in result.stderr
    assert not list(here.iterdir())


@pytest.mark.parametrize("function", ["pathlib.Path.write_text", "daskgmm.demo.write_pixels"])
def test_a_full_disk_at_the_start(here, call, monkeypatch, function):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    name = "made-by-daskgmm-demo.txt" if "text" in function else "pixels.zarr"
    monkeypatch.setattr(function, full)
    result = call("demo", "-q", "-k", 1)
    assert result.exit_code == 1
    assert f"Error: daskgmm-demo/{name} cannot be written: [Errno 28]" in result.stderr
    assert "The disk is full: free some of the disk, or choose another folder with" in result.stderr


@pytest.mark.parametrize("name", ["model.json", "segmentation.png"])
def test_a_full_disk_at_the_end(here, call, monkeypatch, name):
    monkeypatch.setattr("os.fsync", filled_up_at(name))
    result = call("demo", "-q", "-k", 1)
    assert result.exit_code == 1
    assert name in result.stderr
    assert "The disk is full: free some of the disk" in result.stderr
