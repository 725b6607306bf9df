"""Command lines of Dask and daskgmm, read by the commands themselves."""

from importlib.metadata import entry_points

from daskgmm.cli import main


def parsed(line):
    """Return the parameters of a command line; raise where it has others than the command."""
    if line[0] == "sh":  # -c, the script and its name; it starts what follows
        line = line[4:]
    program, name, *arguments = line
    assert not any("$(" in word for word in arguments), f"unknown variable: {line}"
    return _command(program, name).make_context(name, arguments).params


def _command(program, name):
    if program == "daskgmm":
        return main.commands[name]
    assert program == "dask", f"no such program: {program}"
    (found,) = entry_points(group="dask_cli", name=name)
    return found.load()
