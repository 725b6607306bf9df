"""Tables with columns of texts: fits take their numbers and say so, where that is no guess."""

import datetime
import re
import shlex
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

from daskgmm import GaussianMixture, load_model
from daskgmm.errors import DataError
from tests.cli.data import clusters

PATHS = ("t.csv", "t.parquet", "d")
FIT = ("fit", "-k", 2, "--max-iter", 5, "--tol", 1, "-o", "m.json")
LINE = "name (text), kind (%s) left out; features: a, b, c. To choose others, use --columns.\n"


@pytest.fixture
def frame(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = pd.DataFrame(clusters(300), columns=["a", "b", "c"])
    found.insert(1, "name", [f"row {i}" for i in range(300)])
    found["kind"] = pd.Categorical(np.where(np.arange(300) % 3, "x", "y"))
    write(found)
    return found


def line(path):
    return LINE % ("text" if path == "t.csv" else "categories")


def unwrapped(text):
    return text.replace("\n  ", " ")


def write(frame):
    frame.to_csv("t.csv", index=False)
    frame.to_parquet("t.parquet", row_group_size=100)
    Path("d").mkdir(exist_ok=True)
    frame[:100].to_parquet("d/0.parquet")
    frame[100:].to_parquet("d/1.parquet")


@pytest.mark.parametrize("path", PATHS)
def test_a_fit_takes_the_numbers_and_says_so(frame, call, path):
    done = call(*FIT, path)
    assert done.exit_code == 0, done.output
    assert f"{path}: {line(path)}" in unwrapped(done.stderr)
    found = load_model("m.json")
    assert list(found.feature_names_in_) == ["a", "b", "c"]
    assert call(*FIT, path, "--columns", "a,b,c", "--overwrite").stderr.count("left out") == 0
    assert_array_equal(load_model("m.json").means_, found.means_)
    assert "left out" not in call(*FIT, path, "--overwrite", "--quiet").output


@pytest.mark.parametrize("path", PATHS)
def test_what_is_fitted_is_taken_by_name_from_the_same_table(frame, call, path):
    assert call(*FIT, path).exit_code == 0
    for command in (
        ("predict", "m.json", path, "-o", "p.parquet", "--key", "name"),
        ("score", "m.json", path),
        ("update", "m.json", path, "-o", "n.json"),
    ):
        done = call(*command)
        assert done.exit_code == 0, done.output
        assert "left out" not in done.stderr
    labels = load_model("m.json").predict(frame[["a", "b", "c"]])
    assert_array_equal(pd.read_parquet("p.parquet")["label"], labels)


def test_plans_sweeps_and_info(frame, call):
    assert line("t.csv") in unwrapped(call("plan", "-k", 2, "t.csv").stderr)
    swept = call("sweep", "t.parquet", "-k", "1-2", "--n-init", 1, "-o", "best.json")
    assert line("t.parquet") in unwrapped(swept.stderr)
    assert list(load_model("best.json").feature_names_in_) == ["a", "b", "c"]
    for path in PATHS:
        told = call("info", path).stdout
        assert f"name (text), kind ({'text' if path == 't.csv' else 'categories'})" in told
        assert "can be fitted: --columns a,b,c\n" in told


@pytest.mark.parametrize("path", PATHS)
def test_what_has_a_part_of_its_own_is_not_left_out(frame, call, path):
    labels = ("--labels", "kind", "--classifier")
    done = call("fit", path, *labels, "--weight-column", "c", "-o", "m.json")
    assert "positive" in done.output or done.exit_code == 1  # weights below 0
    write(frame.assign(c=1.0))
    done = call("fit", path, *labels, "--weight-column", "c", "-o", "m.json")
    assert done.exit_code == 0, done.output
    assert f"{path}: name (text) left out" in done.stderr


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("column", "words"),
    [
        (["1.5", "?", "2"] * 100, "that contains mostly numbers, such as '1.5', beside '?'"),
        (["1,5", "low", "2,5"] * 100, "such as '1,5', beside 'low'"),
    ],
)
def test_what_may_be_a_feature_is_an_error(frame, call, path, column, words):
    write(frame.assign(odd=column))
    refused = call(*FIT, path)
    assert refused.exit_code == 1, refused.output
    assert words in " ".join(refused.stderr.split())
    assert "--columns" in refused.stderr
    done = call(*FIT, path, "--columns", "a,c")
    assert done.exit_code == 0, done.output


OTHERS = {
    "dates": [datetime.date(2026, 1, 1)] * 300,
    "times": pd.date_range("2026-01-01", periods=300, freq="h"),
    "truth values": [True, False, True] * 100,
    "durations": pd.timedelta_range("1s", periods=300),
    "binary": [b"x"] * 300,
}


@pytest.mark.slow
@pytest.mark.parametrize("path", PATHS)
def test_every_kind_of_column_that_is_no_number_is_told_once(frame, call, path):
    """CSV knows dates, times and truth values alone."""
    named = {word.replace(" ", "_"): values for word, values in OTHERS.items()}
    if path == "t.csv":
        del named["durations"], named["binary"]
    write(frame.assign(**named))
    for command in (FIT, ("plan", "-k", 2), ("sweep", "-k", "1-2", "--n-init", 1, "-o", "s.json")):
        done = call(*command, path)
        assert done.exit_code == 0, done.output
        told = " ".join(done.stderr.split())
        for name in named:
            assert f"{name} ({name.replace('_', ' ')})" in told
        assert told.count("left out; features: a, b, c. To choose others, use --columns.") == 1
    for command in ("predict", "impute"):
        done = call(command, "m.json", path, "-o", f"{command}.parquet")
        assert done.exit_code == 0, done.output
        assert "left out" not in done.output
    assert call("plot", "m.json", path, "-o", "p.png").exit_code == 0
    chosen = call(*FIT, path, "--columns", "a,truth_values", "--overwrite")
    assert chosen.exit_code == 0, chosen.output
    assert list(load_model("m.json").feature_names_in_) == ["a", "truth_values"]


@pytest.mark.parametrize("path", ["t.csv", "t.parquet"])
def test_a_model_without_names_takes_as_many_numbers_and_says_which(frame, call, path):
    GaussianMixture(2, random_state=0).fit(frame[["a", "b", "c"]].to_numpy()).save("m.json")
    for command in ("predict", "impute"):
        done = call(command, "m.json", path, "-o", f"{command}.parquet", "--key", "name")
        assert done.exit_code == 0, done.output
        assert f"{path}: features a, b, c, in this order, as MODEL has no names" in done.stderr
    quiet = call("predict", "m.json", path, "-o", "quiet.zarr", "--quiet")
    assert (quiet.exit_code, quiet.output) == (0, "")
    labels = load_model("m.json").predict(frame[["a", "b", "c"]].to_numpy())
    assert_array_equal(pd.read_parquet("predict.parquet")["label"], labels)
    write(frame.assign(d=frame["a"]))
    for command in ("predict", "impute", "score", "plot"):
        suffix = "png" if command == "plot" else "zarr"
        out = () if command == "score" else ("-o", f"{command}.{suffix}")
        refused = call(command, "m.json", path, *out)
        assert refused.exit_code == 2, refused.output
        words = " ".join(refused.stderr.split())
        assert "MODEL has 3 features without names" in words
        assert "4 columns of numbers: a, b, c, d. Name those of the fit" in words
        assert call(command, "m.json", path, *out, "--columns", "a,b,c").exit_code == 0


def test_names_with_commas_stand_in_quotes(frame, call):
    renamed = frame.rename(columns={"a": "lat, deg", "b": 'say "b"'})
    renamed.to_parquet("t.parquet")
    (told,) = [text for text in call("info", "t.parquet").stdout.splitlines() if "use" in text]
    (columns,) = shlex.split(told.partition("--columns ")[2])  # as a shell does
    assert columns == '"lat, deg","say ""b""",c'
    done = call(*FIT, "t.parquet", "--columns", columns)
    assert done.exit_code == 0, done.output
    assert list(load_model("m.json").feature_names_in_) == ["lat, deg", 'say "b"', "c"]
    drawn = call("plot", "m.json", "-o", "p.png", "--features", 'c,"lat, deg"')
    assert drawn.exit_code == 0, drawn.output
    assert call(*FIT, "t.parquet", "--columns", '"lat, deg,c').exit_code in (1, 2)
    left_out = unwrapped(call(*FIT, "t.parquet", "--overwrite").stderr)
    assert 'features: "lat, deg", "say ""b""", c. To choose others, use --columns.' in left_out


@pytest.mark.parametrize("many", [2, 300])
def test_what_is_left_out_is_told_in_lines_of_80_columns(frame, call, many):
    wide = {f"measurement_number_{i}": frame["a"] + i for i in range(many)}
    texts = {f"comment_on_it_{i}": frame["name"] for i in range(many)}
    pd.DataFrame({"the name of it": frame["name"], **texts, **wide}).to_parquet("wide.parquet")
    done = call("plan", "-k", 2, "wide.parquet")
    assert done.exit_code == 0, done.output
    lines = done.stderr.splitlines()
    assert 1 < len(lines) <= 7
    assert max(map(len, lines)) <= 80
    assert all(line.startswith("  ") for line in lines[1:])
    told = " ".join(done.stderr.split())
    assert told.startswith("wide.parquet: the name of it (text), comment_on_it_0 (text), ")
    assert told.endswith(". To choose others, use --columns.")
    if many == 2:
        assert "left out; features: measurement_number_0, measurement_number_1." in told
    else:
        numbers = [int(number) for number in re.findall(r"and (\d+) more", told)]
        shown = [told.count("comment_on_it_"), told.count("measurement_number_")]
        assert [a + b for a, b in zip(numbers, shown, strict=True)] == [many, many]


def test_a_column_of_texts_is_no_weight(frame, call):
    frame.to_parquet("t.parquet")
    refused = call(*FIT, "t.parquet", "--columns", "a,b", "--weight-column", "name")
    assert "is the column 'name', which holds text" in refused.stderr
    assert "Name a column of numbers." in refused.stderr


def test_a_table_of_texts_alone(frame, call):
    frame[["name", "kind"]].to_parquet("n.parquet")
    refused = call(*FIT, "n.parquet")
    assert refused.exit_code == 1
    assert "columns that are not numbers" in refused.stderr


def test_from_python_texts_are_an_error_as_in_scikit_learn(frame):
    for table in (frame, "t.csv", "t.parquet"):
        with pytest.raises((DataError, ValueError), match=r"could not convert|not numbers"):
            GaussianMixture(2).fit(table)
