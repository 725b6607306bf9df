"""Parquet from the command line: columns, a column of weights, predictions, info."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zarr

from daskgmm import GaussianMixture
from daskgmm.models.model_file import load_model
from tests.cli.data import clusters

K = ("-k", 3)


@pytest.fixture
def frame(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = pd.DataFrame(clusters(2000), columns=["a", "b", "c"])
    found["n"] = np.random.default_rng(1).integers(0, 4, 2000)
    found["name"] = "text"
    found.to_parquet("t.parquet", row_group_size=300)
    (tmp_path / "d").mkdir()
    found[:900].to_parquet("d/0.parquet")
    found[900:].to_parquet("d/1.parquet")
    return found


@pytest.mark.slow
@pytest.mark.parametrize("path", ["t.parquet", "d", "d/*.parquet"])
def test_columns_weights_and_predictions(frame, call, path):
    chosen = ("--columns", "c,a", "--weight-column", "n")
    assert call("fit", path, *K, *chosen, "-o", "m.json", "-q").exit_code == 0
    mixture, x = load_model("m.json"), frame[["c", "a"]]
    assert list(mixture.feature_names_in_) == ["c", "a"]
    expected = GaussianMixture(3, random_state=0).fit(x, sample_weight=frame.n)
    np.testing.assert_allclose(mixture.means_, expected.means_, rtol=1e-8)
    # The columns of the fit are taken, whatever else there is.
    done = call("predict", "m.json", path, "-o", "p.zarr")
    assert done.exit_code == 0, done.output
    np.testing.assert_array_equal(zarr.open_array("p.zarr/label", mode="r")[:], expected.predict(x))
    assert "2,000 of 2 features" in call("plan", path, *K, *chosen).stdout
    swept = call("sweep", path, "-k", "2-3", *chosen, "-o", "best.json")
    assert swept.exit_code == 0, swept.output
    assert list(load_model("best.json").feature_names_in_) == ["c", "a"]


def test_a_column_of_weights_is_no_feature(frame, call):
    frame[["n", "a", "b"]].to_parquet("n.parquet")
    fit = ("fit", "n.parquet", *K, "--weight-column", "n", "-o", "m.json")
    assert call(*fit).exit_code == 0
    assert list(load_model("m.json").feature_names_in_) == ["a", "b"]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--columns", "a,zz"), 1, "no column 'zz'"),
        (("--columns", "a,name"), 1, "'name'"),
        (("--columns", "a,a"), 2, "not a list of names"),
        (("--columns", "a", "--weight-column", "zz"), 1, "no column 'zz'"),
        (("--columns", "a", "--variables", "b"), 2, "Choose from tables with --columns"),
        (("--columns", "a", "--weights", "w", "--weight-column", "n"), 2, "both name"),
    ],
)
def test_refused(frame, call, arguments, code, words):
    refused = call("fit", "t.parquet", *K, "-o", "m.json", *arguments)
    assert refused.exit_code == code, refused.output
    assert words in " ".join(refused.stderr.split())


def test_info(frame, call):
    told = call("info", "t.parquet").stdout
    assert told.startswith("t.parquet: Parquet\n")
    assert "2,000" in told
    assert "7, of 300 rows at most" in told
    assert "--columns a,b,c,n\n" in told
    assert "double" in told
    assert "files       2" in call("info", "d").stdout


def test_lists_and_directories_are_columns(folder, call):
    x = clusters(900).astype("f4")
    for year in (2020, 2021):
        (folder / "t" / f"year={year}").mkdir(parents=True)
        table = pa.table({"id": pa.array(range(900)), "emb": list(x + year - 2020)})
        pq.write_table(table, folder / "t" / f"year={year}" / "x.parquet", row_group_size=300)
    told = " ".join(call("info", "t").stdout.split())
    assert "emb list<element: float>" in told
    assert "year int64, by which files are parted" in told
    assert call("fit", "t", *K, "--columns", "emb", "-o", "m.json").exit_code == 0
    mixture = load_model("m.json")
    assert list(mixture.feature_names_in_) == ["emb[0]", "emb[1]", "emb[2]"]
    predict = ("predict", "m.json", "t", "--key", "year,id", "-o", "out.parquet")
    done = call(*predict)
    assert done.exit_code == 0, done.output
    found = pd.read_parquet("out.parquet")
    both = pd.DataFrame(np.concatenate([x, x + 1]), columns=mixture.feature_names_in_)
    np.testing.assert_array_equal(found["label"], mixture.predict(both))
    assert found["year"].value_counts().to_dict() == {2020: 900, 2021: 900}
    weighted = ("--columns", "id,year", "--weight-column", "year", "-o", "w.json")
    assert call("fit", "t", "-k", 1, *weighted).exit_code == 0
    assert list(load_model("w.json").feature_names_in_) == ["id"]


def test_a_delta_table_is_read_by_its_log(folder, call):
    deltalake = pytest.importorskip("deltalake")
    x = clusters(900)
    deltalake.write_deltalake("t", pa.table({"a": x[:, 0], "b": x[:, 1]}))
    deltalake.DeltaTable("t").update({"a": "a + 1000", "b": "b + 1000"})
    told = " ".join(call("info", "t").stdout.split())
    assert "files 1 rows 900" in told
    assert "900 of 2 features" in call("plan", "t", *K).stdout
    assert call("fit", "t", "-k", 1, "-o", "m.json").exit_code == 0
    np.testing.assert_allclose(load_model("m.json").means_[0], x[:, :2].mean(0) + 1000, rtol=1e-9)


@pytest.mark.parametrize("log", ["metadata/v1.metadata.json", ".hoodie/hoodie.properties"])
@pytest.mark.parametrize("command", ["fit", "plan", "info", "predict"])
def test_tables_with_a_log_that_is_not_read(folder, call, log, command):
    (folder / "t" / log).parent.mkdir(parents=True)
    (folder / "t" / log).write_text("{}")
    x = clusters(60)
    pq.write_table(pa.table({"a": x[:, 0], "b": x[:, 1]}), "t/x.parquet")
    GaussianMixture(1).fit(pd.DataFrame(x[:, :2], columns=["a", "b"])).save("m.json")
    given = {
        "fit": ("t", *K, "-o", "n.json"),
        "plan": ("t", *K),
        "info": ("t",),
        "predict": ("m.json", "t", "-o", "p.zarr"),
    }[command]
    refused = call(command, *given)
    assert refused.exit_code == 1, refused.output
    assert "only its log says which of the files hold its rows" in " ".join(refused.stderr.split())


@pytest.mark.parametrize("key", ["id", "id,note"])
@pytest.mark.parametrize("path", ["t.parquet", "d"])
def test_keys_are_no_features_of_a_model_without_names(tmp_path, monkeypatch, call, path, key):
    monkeypatch.chdir(tmp_path)
    x, keys = clusters(400), key.split(",")
    mixture = GaussianMixture(3, random_state=0).fit(x)
    mixture.save("m.json")
    frame = pd.DataFrame({"id": [f"row {i}" for i in range(400)]})
    frame = frame.assign(note=np.arange(400), a=x[:, 0], b=x[:, 1], c=x[:, 2])[[*keys, *"abc"]]
    (tmp_path / "d").mkdir()
    frame.to_parquet("t.parquet")
    frame[:150].to_parquet("d/0.parquet")
    frame[150:].to_parquet("d/1.parquet")
    done = call("predict", "m.json", path, "-o", "p.parquet", "--key", key)
    assert done.exit_code == 0, done.output
    found = pd.read_parquet("p.parquet")
    pd.testing.assert_frame_equal(found[keys], frame[keys])
    np.testing.assert_array_equal(found.label, mixture.predict(x))
    done = call("predict", "m.json", path, "-o", "p.zarr")
    assert done.exit_code == (0 if key == "id" else 2)
    assert ("features a, b, c," if key == "id" else "numbers: note, a, b, c.") in done.stderr


def test_info_of_imputed_rows_says_that_they_are_data_again(folder, call):
    x = clusters(200)
    x[::7, 1] = np.nan
    pd.DataFrame(x, columns=list("abc")).assign(name="text").to_parquet("t.parquet")
    assert (
        call("fit", "t.parquet", "-k", 1, "--missing", "marginalise", "-o", "m.json").exit_code == 0
    )
    assert call("impute", "m.json", "t.parquet", "-o", "f.parquet", "--key", "name").exit_code == 0
    told = call("info", "f.parquet").stdout
    assert told.startswith("f.parquet: rows whose gaps were filled\n")
    assert "can be fitted: --columns a,b,c\n" in told
    assert call("impute", "m.json", "t.parquet", "-o", "f.zarr").exit_code == 0
    told = call("info", "f.zarr").stdout
    assert told.startswith("f.zarr: rows whose gaps were filled\n")
    use = told.partition("can be fitted: ")[2].splitlines()[0].split()
    done = call("fit", "f.zarr", *use, "-k", 1, "-o", "n.json")
    assert done.exit_code == 0, done.output
    both = ("--outputs", "imputed,label", "--missing", "marginalise")
    assert call("predict", "m.json", "t.parquet", *both, "-o", "both.parquet").exit_code == 0
    assert call("info", "both.parquet").stdout.startswith("both.parquet: predictions\n")


@pytest.mark.parametrize("index", [False, True])
def test_info_of_predictions_says_that_they_are_some(frame, call, index):
    """As of predictions in Zarr; a copy that pandas writes is a table again."""
    (frame.set_index("name") if index else frame).to_parquet("t.parquet")
    assert call("fit", "t.parquet", *K, "--columns", "a,b,c", "-o", "m.json", "-q").exit_code == 0
    key = () if index else ("--key", "name")
    predict = ("predict", "m.json", "t.parquet", "-o", "p.parquet", "--outputs", "label,posterior")
    assert call(*predict, *key).exit_code == 0
    told = call("info", "p.parquet").stdout
    assert told.startswith("p.parquet: predictions\n")
    words = " ".join(told.split())
    assert "components 3 model m.json" in words
    assert " files 1" in words
    assert "rows 2,000" in words
    assert "posterior_2" in words
    assert "state whole" in words
    assert "can be fitted" not in words
    pd.read_parquet("p.parquet").to_parquet("copy.parquet")
    assert "can be fitted: --columns label," in call("info", "copy.parquet").stdout


def gaps_told(call, *arguments):
    """Return what `info` says of gaps, a line a column."""
    lines = call("info", *arguments).stdout.splitlines()
    return [" ".join(line.split()) for line in lines if "row" in line and "%" in line]


def test_info_counts_nan_beside_nulls(call, tmp_path, monkeypatch):
    """Footers of Parquet count nulls alone, and Arrow reads NAN in CSV as no null."""
    monkeypatch.chdir(tmp_path)
    holed = np.where(np.arange(40) < 6, np.nan, 1.0)
    table = pa.table(
        {
            "a": pa.array(holed, from_pandas=False),
            "b": pa.array([None, None, *holed[2:]], from_pandas=False),
            "n": pa.array([None, *range(39)]),
            "whole": np.ones(40),
        }
    )
    pq.write_table(table, "nan.parquet", row_group_size=15)
    pq.write_table(table, "plain.parquet", write_statistics=False)
    nulls = ["b 2 rows (5.00%)", "n 1 row (2.50%)"]
    every = ["a 6 rows (15.00%)", "b 6 rows (15.00%)", "n 1 row (2.50%)"]
    assert gaps_told(call, "nan.parquet") == gaps_told(call, "plain.parquet") == every
    monkeypatch.setattr("daskgmm.report.gaps.MOST_BYTES", 100)
    assert gaps_told(call, "nan.parquet") == nulls
    assert "NaN         not counted" in call("info", "nan.parquet").stdout
    assert gaps_told(call, "nan.parquet", "--gaps") == every
    Path("nan.csv").write_text("a,b\n" + "NAN,1\n" * 3 + "1.5,nan\n" + "1,2\n" * 6)
    assert gaps_told(call, "nan.csv") == ["a 3 rows (30.00%)", "b 1 row (10.00%)"]


@pytest.mark.parametrize("path", ["gaps.csv", "gaps.parquet", "parts"])
def test_info_says_where_values_are_missing(frame, call, path):
    gaps = pd.DataFrame(
        {"a": frame.a.mask(frame.n == 0), "b": frame.b, "n": frame.n.mask(frame.b > 0)}
    )
    gaps["name"] = "text"
    gaps.to_csv("gaps.csv", index=False)
    gaps.to_parquet("gaps.parquet", row_group_size=700)
    Path("parts").mkdir()
    gaps[:900].to_parquet("parts/0.parquet")
    gaps[900:].to_parquet("parts/1.parquet")
    told = call("info", path).stdout.split("gaps in")[1].split("use")[0].splitlines()
    counts = {"a": int((frame.n == 0).sum()), "n": int((frame.b > 0).sum())}
    expected = [f"{name} {count:,} rows ({count / 2000:.2%})" for name, count in counts.items()]
    assert [" ".join(line.split()) for line in told[1:] if line.strip()] == expected
    assert "gaps" not in call("info", "t.parquet").stdout
