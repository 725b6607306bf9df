"""Messages of the library name parameters; those of the command line their options as well."""

import click
import numpy as np
import pandas as pd
import pytest

from daskgmm.cli import main
from daskgmm.cli.parameters import with_options
from daskgmm.gaussian.priors.table import PRIORS as TABLE
from daskgmm.names import PRIORS

FIT = ("fit", "rows.zarr", "-k", 3, "-o", "m.json")
SWEEP = ("sweep", "rows.zarr", "-k", "2", "-o", "m.json")
ADAPT = ("adapt", "model.json", "rows.zarr", "-o", "m.json")
PREDICT = ("predict", "model.json", "rows.zarr", "-o", "l.zarr")


@pytest.mark.parametrize(
    ("command", "text", "told"),
    [
        ("fit", "Raise max_iter, or tol=0.1.", "max_iter (--max-iter), or --tol 0.1."),
        ("fit", "n_init, of n_init = 2", "n_init (--n-init), of n_init = 2"),
        ("fit", "tails='a b' and noise=True", "--tails 'a b' and --noise"),
        ("fit", "sample_weight has 2", "sample_weight (--weights) has 2"),
        ("predict", "sample_weight has 2", "sample_weight has 2"),
        ("fit", "Raise it (--max-iter): max_iter is 3", "Raise it (--max-iter): max_iter is 3"),
        ("fit", "as fit(X, feature_dims=('band',))", "as fit(X, feature_dims=('band',))"),
        ("fit", "column 'sample_rows' of a/max_iter", "column 'sample_rows' of a/max_iter"),
        ("fit", "sample_weight.shape is (3,)", "sample_weight.shape is (3,)"),
        ("fit", "Or missing='drop' (--missing drop).", "Or --missing drop."),
        ("fit", "with overwrite=True (--overwrite).", "with --overwrite."),
        ("fit", "Set pca=None (--pca).", "Set pca=None (--pca)."),
        ("predict", "the missing key of the top is out", "the missing key of the top is out"),
    ],
)
def test_a_parameter_is_followed_by_its_option_once(command, text, told):
    assert told in with_options(text, main.commands[command])


@pytest.mark.parametrize(
    ("command", "text", "told"),
    [
        ("errors", "Reduce n_components.", "Reduce n_components (fit --components)."),
        ("errors", "noise=True is uniform", "noise=True (fit --noise) is uniform"),
        ("errors", "a large max_iter (--max-iter)", "a large max_iter (--max-iter)"),
        ("update", "Raise max_iter.", "Raise max_iter (--max-iter)."),
    ],
)
def test_settings_that_a_command_has_not_are_options_of_fit(command, text, told):
    assert with_options(text, main.commands[command], main.commands["fit"]) == told


def test_a_command_without_options_leaves_messages_as_they_are():
    assert with_options("max_iter", click.Group("other")) == "max_iter"


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ((*FIT, "-k", 4000), "n_components (--components) but got n_components = 4000"),
        ((*FIT, "--weights", "none.npy"), "All entries of sample_weight (--weights) are zero"),
        ((*FIT, "--weights", "few.npy"), "Give one weight for each row"),
    ],
)
def test_errors_of_a_fit_name_options(folder, call, rows, command, words):
    np.save("none.npy", np.zeros(len(rows)))
    np.save("few.npy", np.ones(7))
    failed = call(*command)
    assert failed.exit_code == 1
    assert words in failed.stderr


def test_errors_of_parquet_name_options(folder, call, rows):
    frame = pd.DataFrame(rows, columns=["a", "b", "c"]).assign(id=1, label=2)
    frame.to_parquet("rows.parquet")
    fit = ("fit", "rows.parquet", "-k", 2, "--columns", "a,b,c", "-o", "m.json")
    assert call(*fit).exit_code == 0
    predict = ("predict", "m.json", "rows.parquet", "-o")
    lost = call(*predict, "rows.parquet", "--overwrite", "--key", "id")
    assert (lost.exit_code, "name in key (--key) every column" in lost.stderr) == (1, True)
    clash = call(*predict, "l.parquet", "--key", "label")
    assert (clash.exit_code, "The key 'label' (--key) is called" in clash.stderr) == (1, True)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ((*FIT, "--noise", "--tails", "contaminated"), "both make room for outliers"),
        ((*FIT, "--noise", "--pca", 2), "Set pca=None (--pca)"),
        ((*FIT, "--tails", "contaminated", "--prior", "conjugate"), "with a prior"),
        ((*ADAPT, "--parameters", "mean"), "'mean' is not made of weights, means"),
        ((*SWEEP, "--plot", "p.txt"), "not the name of a picture"),
        ((*PREDICT, "--outputs", "nope"), "outputs names 'nope' (--outputs)"),
    ],
)
def test_settings_that_none_takes_are_wrong_usage(folder, call, model, command, words):
    before = sorted(folder.iterdir())
    refused = call(*command)
    assert refused.exit_code == 2
    assert refused.stderr.startswith(f"Usage: daskgmm {command[0]} ")
    assert words in refused.stderr
    assert sorted(folder.iterdir()) == before


@pytest.mark.parametrize("command", ["fit", "sweep"])
@pytest.mark.parametrize(
    ("option", "table"), [("--prior", "PRIORS"), ("--covariance", "STRUCTURES")]
)
def test_unknown_entries_of_tables_say_how_they_are_added(folder, call, command, option, table):
    refused = call(command, "rows.zarr", "-k", "2", "-o", "m.json", option, "own")
    assert refused.exit_code == 2
    assert "'own' is not one of '" in refused.stderr
    assert f"adds it to daskgmm.gaussian.{table}, name that with --import MODULE" in refused.stderr


def test_the_names_of_priors_are_those_of_the_table():
    assert tuple(TABLE) == PRIORS
