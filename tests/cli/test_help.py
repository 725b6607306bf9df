"""Help of every command: headings, an example that is one, lines of a terminal; and mistakes."""

import shlex
import subprocess
import sys

import click
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from daskgmm.cli import main
from daskgmm.cli.command import Command
from daskgmm.cli.headings import HEADINGS, OWN, long_name
from tests.cli.data import ENVIRONMENT

NAMES = sorted(main.commands)


@pytest.mark.parametrize("name", NAMES)
def test_help_fits_a_terminal_and_has_an_example(call, name):
    command = main.commands[name]
    assert isinstance(command, Command)
    text = call(name, "--help").stdout
    assert max(map(len, text.splitlines())) <= 80
    assert text.count("Example:\n") == 1
    assert command.example.startswith(f"daskgmm {name} ")
    # Its names are those of options and arguments that the command has.
    command.make_context(name, shlex.split(command.example)[2:])


@pytest.mark.parametrize("name", NAMES)
def test_each_option_stands_below_one_heading(call, name):
    text = call(name, "--help").stdout
    headings = [line[:-1] for line in text.splitlines() if line.endswith(":") and line[0] != " "]
    order = [OWN, *HEADINGS, "Example"]
    assert headings == sorted(headings, key=order.index)
    for param in main.commands[name].params:
        if isinstance(param, click.Option):
            option = f"--{long_name(param)}"
            shown = [line for line in text.splitlines() if line.startswith(("  -", "   "))]
            assert sum(f"{option} " in f"{line[:38]} " and line[2] == "-" for line in shown) >= 1


def test_headings_name_options_that_exist():
    known = {long_name(each) for command in main.commands.values() for each in command.params}
    listed = [name for names in HEADINGS.values() for name in names]
    assert len(listed) == len(set(listed))
    assert set(listed) - {"help"} <= known


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        (("fti",), "'fit'"),
        (("predcit", "m.json"), "'predict'"),
        (("fit", "a.zarr", "--componets", 3), "--components"),
        (("sweep", "a.zarr", "--kriterion", "bic"), "--criterion"),
    ],
)
def test_slips_of_the_keyboard(call, typed, meant):
    refused = call(*typed)
    assert refused.exit_code == 2
    assert meant in refused.stderr


HEAVY = {"dask", "zarr", "sklearn", "scipy", "pandas", "xarray", "yaml"}
"""What takes more than 0.1 s to import."""

LIGHT = {"numpy", "pyarrow", "fsspec"}
"""What the names of columns are read with."""


@pytest.mark.parametrize(
    ("told_by", "mistakes"),
    [
        (
            set(),
            {
                "fti": "No such command",
                "fit a --seeds 1": "--seed",
                "fit --config none.yaml": "none.yaml",
                "fit none.npy -k 2 -o new.json": "none.npy does not exist",
                "fit x.npy -o new.json": "Missing option '--components'",
                "fit x.npy -k 2 -o old.json": "old.json exists",
                "sweep x.npy -k 2-3 -o no/new.json": "There is no folder no",
                "fit x.npy -k 2 -o x.npy": "--out x.npy is DATA",
                "fit x.npy -k 2 -o new.zarr": "a model file is JSON",
                "fit x.npy -k 2 --classifier -o new.json": "--labels",
                "fit x.npy -k 2 --structures own -o new.json": "goes with --classifier",
                "fit x.npy -k 2 --mean-precision-prior 2 -o new.json": "goes with --bayesian",
                "predict x.npy old.json -o new.zarr": "x.npy is not a model file",
                "predict old.json x.npy -o new.csv": "new.csv ends in .csv",
                "predict old.json x.npy -o old.parquet": "old.parquet exists",
                "sample old.json --rows 9 -o old.json": "--out old.json is MODEL",
                "convert t.csv -o old.parquet": "old.parquet exists",
                "info http://127.0.0.1:1/x.zarr": "127.0.0.1:1 refuses connections",
                "info s3://b/x.zarr --storage-option endpoint_url=http://127.0.0.1:1": "refuses",
                "fit x.npy -k 2 -o http://127.0.0.1:1/new.json": "127.0.0.1:1 refuses connections",
            },
        ),
        (
            LIGHT,
            {
                "fit t.csv --columns heigth -k 2 -o new.json": "Did you mean 'height'?",
                "fit old.parquet --columns heigth -k 2 -o new.json": "Did you mean 'height'?",
                "fit parts --columns heigth -k 2 -o new.json": "Did you mean 'height'?",
                "fit t.csv --weight-column n -k 2 -o new.json": "has no column 'n'",
                "fit t.csv -k 2 -o new.json --labels specie": "Did you mean 'species'?",
                "plan t.csv -k 2 --noise-variance girth": "has no column 'girth'",
            },
        ),
    ],
)
def test_mistakes_are_answered_at_once(tmp_path, told_by, mistakes):
    """Nothing heavy is imported for them, neither where a file of options is read."""
    (tmp_path / "x.npy").write_bytes(b"\x93NUMPY")
    (tmp_path / "old.json").write_text("{")
    (tmp_path / "t.csv").write_text("height,species\n1.0,oak\n")
    pq.write_table(pa.table({"height": [1.0]}), tmp_path / "old.parquet")
    (tmp_path / "parts").mkdir()
    pq.write_table(pa.table({"height": [1.0]}), tmp_path / "parts" / "0.parquet")
    code = (
        "import io, sys\nfrom contextlib import redirect_stderr\nfrom daskgmm.cli import main\n"
        f"for words, told in {mistakes!r}.items():\n"
        "    said = io.StringIO()\n"
        "    try:\n"
        "        with redirect_stderr(said): main(words.split())\n"
        "    except SystemExit as end: assert end.code in (1, 2)\n"
        "    assert told in said.getvalue(), (words, said.getvalue())\n"
        f"    print(*{HEAVY | LIGHT - told_by!r} & set(sys.modules), end='')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=ENVIRONMENT, cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("", "")
