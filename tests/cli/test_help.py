"""Help of every command: headings, an example that is one, lines of a terminal; and mistakes."""

import re
import shlex
import subprocess
import sys

import click
import pytest
from click.shell_completion import BashComplete, ShellComplete

from daskgmm.cli import main
from daskgmm.cli.command import Command
from daskgmm.cli.headings import HEADINGS, OWN, long_name
from daskgmm.models.predictions.outputs import OUTPUTS
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


def test_mistakes_are_answered_at_once():
    """Nothing heavy is imported for them, neither where a file of options is read."""
    code = (
        "import sys\nfrom daskgmm.cli import main\n"
        "for words in (['fti'], ['fit', 'a', '--seeds', '1'], ['fit', '--config', 'none.yaml']):\n"
        "    try: main(words)\n"
        "    except SystemExit as end: assert end.code == 2\n"
        "print({'numpy', 'dask', 'zarr', 'sklearn', 'scipy', 'yaml'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=ENVIRONMENT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "set()\n"


def completions(*words, kind=ShellComplete):
    *before, incomplete = words
    found = kind(main, {}, "daskgmm", "_DASKGMM_COMPLETE").get_completions(before, incomplete)
    return [each.value for each in found], {each.type for each in found}


def test_completion():
    assert completions("pre")[0] == ["predict"]
    assert completions("fit", "a.zarr", "--comp")[0] == ["--components"]
    assert completions("fit", "a.zarr", "--covariance", "f")[0] == ["full", "factor"]
    assert completions("sweep", "a.zarr", "--covariance", "diag,f")[0] == [
        "diag,full",
        "diag,factor",
    ]
    assert completions("fit", "a.zarr", "--missing", "m")[0] == ["marginalise"]
    assert completions("predict", "m.json", "a.zarr", "--outputs", "label,po")[0] == [
        "label,posterior"
    ]


def test_completion_and_help_of_outputs_have_those_of_the_table(call):
    assert completions("predict", "m.json", "a.zarr", "--outputs", "")[0] == list(OUTPUTS)
    words = re.findall(r"\w+", call("predict", "--help").stdout)
    assert [name for name in OUTPUTS if name not in words] == []


@pytest.mark.parametrize(
    "words",
    [
        ("fit", "ro"),
        ("predict", "model.json", "ro"),
        ("fit", "a.zarr", "--out", "m"),
        ("fit", "a.zarr", "--config", "r"),
        ("fit", "a.zarr", "--weights", "w"),
        ("fit", "--config", "absent.yaml", "ro"),
        ("sweep", "a.zarr", "--table", "t"),
        ("convert", "a.csv", "b"),
        ("info", "m"),
    ],
)
def test_completion_of_paths(words):
    assert completions(*words) == ([words[-1]], {"file"})


def test_the_script_of_a_shell():
    script = BashComplete(main, {}, "daskgmm", "_DASKGMM_COMPLETE").source_vars()
    assert script["complete_var"] == "_DASKGMM_COMPLETE"
