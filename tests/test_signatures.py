"""Signatures are short: what goes together is one value, and an address holds its options."""

import ast
from pathlib import Path

import daskgmm
from daskgmm.gaussian.covariance.structure import Structure

ROOT = Path(daskgmm.__file__).parent
MOST = 6
"""Parameters of a function that users do not call."""

PUBLIC = {
    # Settings of estimators are arguments of the constructor, as scikit-learn wants them.
    "models.bayesian_mixture.BayesianGaussianMixture.__init__",
    "models.classifying.classifier.GaussianMixtureClassifier.__init__",
    "models.gaussian_mixture.GaussianMixture.__init__",
    # What goes beside the rows has a keyword each, as `sample_weight` has in scikit-learn.
    "models.classifying.classifier.GaussianMixtureClassifier.fit",
    "models.classifying.fitted.FittedClassifier.standard_errors",
    "models.fitting.estimator.MixtureEstimator.fit",
    "models.fitting.estimator.MixtureEstimator.fit_predict",
    "models.mixtures.components.Components.standard_errors",
    # What is written, and how, in one call.
    "models.density.regressing.Regressing.regress_to_parquet",
    "models.density.regressing.Regressing.regress_to_zarr",
    "models.density.sampled.Sampled.sample_to_zarr",
    "models.mixtures.predicting.PredictingMixture.predict_to_parquet",
    "models.mixtures.predicting.PredictingMixture.predict_to_zarr",
    "rows.csv.to_parquet.csv_to_parquet",
    # Fits of several estimators, or the plan of one: settings of these, and of `fit`.
    "models.likelihood_ratio.likelihood_ratio_test",
    "models.planning.plan",
    "models.sweeps.sweep.sweep",
    # Matplotlib's `ax` beside what is drawn.
    "plot.components.components",
}
"""Functions that users call with more, by keyword."""

WITH_OPTIONS = {
    "models.classifying.classifier.GaussianMixtureClassifier.fit",
    "models.density.regressing.Regressing.regress_to_parquet",
    "models.density.regressing.Regressing.regress_to_zarr",
    "models.density.sampled.Sampled.sample_to_zarr",
    "models.fitting.estimator.MixtureEstimator.fit",
    "models.mixtures.predicting.PredictingMixture.predict_to_parquet",
    "models.mixtures.predicting.PredictingMixture.predict_to_zarr",
    "models.model_file.load_model",
    "models.model_file.save_model",
    "models.planning.plan",
    "models.saved.Saved.load",
    "models.saved.Saved.save",
    "models.sweeps.sweep.sweep",
    "rows.csv.to_parquet.csv_to_parquet",
    "rows.labelled.opening.open_labelled",
    "rows.opening.open_data",
    "rows.parquet.rows.open_parquet",
}
"""Functions that users give options of URLs: each makes an address of them at once."""


def functions():
    """Yield the name, the parameters and the decorators of each function, methods without self."""
    for path in sorted(ROOT.rglob("*.py")):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        yield from _inside(ast.parse(path.read_text()), module)


def _inside(node, name):
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            own = f"{name}.{child.name}"
            if not isinstance(child, ast.ClassDef):
                yield own, _parameters(child.args), set(map(ast.unparse, child.decorator_list))
            yield from _inside(child, own)
        else:
            yield from _inside(child, name)


def _parameters(args):
    found = [each.arg for each in (*args.posonlyargs, *args.args, *args.kwonlyargs)]
    found += [each.arg for each in (args.vararg, args.kwarg) if each is not None]
    return found[1:] if found[:1] in (["self"], ["cls"]) else found


def test_the_walk_finds_functions_in_classes_and_in_functions():
    found = {name: parameters for name, parameters, _ in functions()}
    assert found["storage.address.Address.child"] == ["name"]
    assert found["cli.options.data.choosing.gathered"] == ["data", "settings"]


def test_functions_take_few_parameters():
    """Those of commands are options of the command line."""
    long = {
        name
        for name, parameters, decorators in functions()
        if len(parameters) > MOST and not any(each.startswith("command(") for each in decorators)
    }
    assert long == PUBLIC


def test_options_of_stores_are_taken_where_users_give_them_and_no_deeper():
    found = {name for name, parameters, _ in functions() if "storage_options" in parameters}
    assert found == WITH_OPTIONS


def test_a_covariance_structure_has_to_define_few_things():
    """Names without a value, and no method; each of the latter has one for free structures."""
    required = set(Structure.__annotations__) - set(vars(Structure))
    assert required == {"name", "precision", "statistic"}
    methods = vars(Structure).values()
    assert not [each for each in methods if getattr(each, "__isabstractmethod__", False)]
