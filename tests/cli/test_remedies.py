"""What is told to do on the command line can be typed there; in Python it can be called."""

import re
import shlex

import numpy as np
import pandas as pd
import pytest
import zarr

from daskgmm import GaussianMixture, GaussianMixtureClassifier, compare
from daskgmm.errors import DataError
from daskgmm.readers import of_commands, remedy
from daskgmm.rows.checks.name_lists import names_of_text
from tests.cli.data import clusters

CALL = re.compile(
    r"\b(?:mixture|drift|events|X|series|labels|daskgmm|numpy|pandas)\.\w+\(|`\w+`|_="
)
"""Calls and names of Python, which nobody can type behind `daskgmm`."""

FIT = ("fit", "-k", 2, "-o", "out.json")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with tables, arrays and models, none of which is written to."""
    folder = tmp_path_factory.mktemp("remedies")
    frame = pd.DataFrame(clusters(300), columns=["a", "b", "c"])
    table = frame.assign(t="x", id=range(300), g=["u", "v", "w"] * 100)
    table.to_parquet(folder / "t.parquet")
    table.to_csv(folder / "t.csv", index=False)
    np.save(folder / "flat.npy", frame["a"])
    np.save(folder / "deep.npy", np.zeros((2, 3, 4)))
    np.save(folder / "fields.npy", np.zeros(9, [("a", "f8"), ("b", "f8")]))
    (folder / "t.txt").write_text("a b\n1 2\n")
    (folder / "t.xlsx").write_bytes(b"PK")
    zarr.create_array(folder / "rows.zarr", data=frame.to_numpy(), chunks=(100, 3))
    start = {"random_state": 0, "init_params": "k-means++", "tol": 1.0}
    GaussianMixture(2, **start).fit(frame).save(folder / "abc.json")
    GaussianMixture(2, **start).fit(frame[["b", "a"]]).save(folder / "ba.json")
    GaussianMixture(2, noise=True, **start).fit(frame).save(folder / "noise.json")
    GaussianMixture(2, missing="marginalise", **start).fit(frame).save(folder / "gaps.json")
    GaussianMixture.from_parameters([1.0], [[0.0] * 3], [1.0]).save(folder / "given.json")
    GaussianMixtureClassifier(1, random_state=0, tol=1.0).fit(frame, table["g"]).save(
        folder / "classes.json"
    )
    return folder


@pytest.fixture(autouse=True)
def there(made, monkeypatch):
    monkeypatch.chdir(made)


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ((*FIT, "t.parquet", "--columns", "a,t,c"), "the features with --columns, as a,c."),
        ((*FIT, "t.csv", "--columns", "t,b"), "the features with --columns, as b."),
        ((*FIT, "flat.npy"), "with one column"),
        ((*FIT, "deep.npy"), "--features names the axes"),
        ((*FIT, "fields.npy"), "as such an array, or as a table (Parquet)"),
        ((*FIT, "t.txt"), "`daskgmm convert t.txt --out FILE` writes it to Parquet"),
        ((*FIT, "t.xlsx"), "save it as CSV in the program that made it"),
        ((*FIT, "rows.zarr", "--weights", "deep.npy"), "an array of one weight a row"),
        ((*FIT, "rows.zarr", "--noise", "--prior", "conjugate"), "Leave out one of them"),
        ((*FIT, "t.parquet", "--columns", "a,b", "--labels", "g"), "Fit a classifier (--classif"),
        (("compare", "abc.json", "ba.json"), "--columns a,b takes both over these"),
        (("compare", "abc.json", "given.json", "t.csv", "--columns", "t"), "not numbers: 't'"),
        (("errors", "abc.json", "t.parquet", "--groups", "g"), "Name finer groups, of rows"),
        (("update", "classes.json", "t.csv", "-o", "out.json"), "without --classifier"),
        (("update", "given.json", "rows.zarr", "-o", "out.json"), "Give --forget 1"),
        (("regress", "noise.json", "t.csv", "--targets", "a", "-o", "r.zarr"), "Fit with tails"),
        (("predict", "abc.json", "t.csv", "--outputs", "cluster", "-o", "c.zarr"), "daskgmm merge"),
        (("sample", "abc.json", "--rows", 9, "-o", "s.parquet"), "such as sample.zarr."),
        (("predict", "abc.json", "t.csv", "-o", "l.csv"), "such as labels.parquet. xarray"),
        (("adapt", "gaps.json", "t.csv", "-o", "out.json"), "adapt takes whole rows"),
        (("plot", "given.json", "--kind", "convergence", "-o", "p.png"), "--log-json FILE of fit"),
    ],
)
def test_remedies_can_be_typed(call, made, command, told):
    before = sorted(made.iterdir())
    failed = call(*command)
    assert failed.exit_code in (1, 2)
    assert told in failed.stderr
    assert not CALL.search(failed.stderr), failed.stderr
    assert sorted(made.iterdir()) == before


def test_a_warning_of_ids_names_the_option(call, made):
    done = call("fit", "t.parquet", "--columns", "a,id", "-k", 1, "-o", made / "ids.json")
    (made / "ids.json").unlink()
    assert "name the other columns (--columns)." in done.stderr


def test_in_python_the_same_errors_name_calls():
    with pytest.raises(DataError, match=r": daskgmm\.open_parquet\(path, \['a', 'b'"):
        GaussianMixture().fit("t.parquet", sample_weight=None)
    a, b = GaussianMixture.load("abc.json"), GaussianMixture.load("ba.json")
    with pytest.raises(DataError, match="`marginal` takes one over fewer"):
        compare(a, b)


def test_models_of_other_columns_are_compared_over_some(call):
    a, b = GaussianMixture.load("abc.json"), GaussianMixture.load("ba.json")
    done = call("compare", "abc.json", "ba.json", "t.csv", "--columns", "a,b")
    assert done.exit_code == 0, done.output
    found = compare(a.marginal(["a", "b"]), b.marginal(["a", "b"]), "t.csv")
    assert done.stdout.endswith(f"\n\n{found!r}\n")
    own = call("compare", "abc.json", "ba.json", "--columns", "b,a")
    assert own.stdout.endswith(f"\n\n{compare(a.marginal(['b', 'a']), b)!r}\n")


def test_who_reads_is_known_as_long_as_a_command_runs():
    with of_commands():
        assert remedy("call", "typed") == "typed"
    assert remedy("call", "typed") == "call"


def test_names_are_told_as_a_shell_takes_them(call, tmp_path):
    frame = pd.DataFrame(
        {"a": [1.0, 2.0], "Temp (C)": [1.0, 2.0], "p, hPa": [3.0, 4.0], "größe": 1.0}
    )
    frame.to_csv(tmp_path / "t.csv", index=False)
    told = call("info", tmp_path / "t.csv").stdout
    line = next(line for line in told.splitlines() if "--columns" in line)
    typed = shlex.split(line)[-1]
    assert names_of_text(typed) == tuple(frame.columns)
    assert "--columns 'a,Temp (C)," in line
