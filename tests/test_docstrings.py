"""Docstrings of public names are complete and true: every parameter, what is returned and raised,
the source of a formula, and an example, which runs here.
"""

import builtins
import doctest
import inspect
import re
import warnings

import pytest
import sklearn.exceptions

import daskgmm
import daskgmm.errors
from daskgmm import plot

numpydoc = pytest.importorskip("numpydoc")
from numpydoc.docscrape import get_doc_object  # noqa: E402
from numpydoc.validate import Validator, validate  # noqa: E402

IGNORED = {
    "ES01",  # one sentence may say all
    "GL01",  # a summary begins beside its quotes, as ruff holds it
    "PR03",  # parameters that are explained together stand together
    "PR07",  # the test below is more exact
    "PR08",  # "k, the number of components" begins with a symbol
    "SA01",  # the reference is one page
}

RESULTS = {"daskgmm.MixtureMoments", "daskgmm.Sweep"}
"""Classes that users are given: attributes instead of parameters."""

ERRORS = {
    name: thing
    for name, thing in vars(daskgmm.errors).items()
    if isinstance(thing, type) and thing.__module__ == "daskgmm.errors"
}

SEE = re.compile(r"(as (in|of) `|ignored$)")
"""A parameter that is explained elsewhere."""


def methods(owner):
    """Yield the public methods and properties of a class that daskgmm documents, by name."""
    for name in sorted({name for base in owner.__mro__ for name in vars(base)}):
        homes = [base for base in owner.__mro__ if name in vars(base)]
        if name.startswith("_") or not homes[0].__module__.startswith("daskgmm"):
            continue
        found = [vars(base)[name] for base in homes]
        # A method that is there under a condition has the condition in front of it.
        found = [getattr(one, "fn", getattr(one, "__func__", one)) for one in found]
        documented = [one for one in found if getattr(one, "__doc__", None)]
        if inspect.isfunction(found[0]) or isinstance(found[0], property):
            yield name, (documented or found)[0]


def public_names():
    """Return the things that docstrings are of, each once, by its first name."""
    found = {f"daskgmm.{name}": getattr(daskgmm, name) for name in daskgmm.__all__}
    found |= {f"daskgmm.plot.{name}": getattr(plot, name) for name in plot.__all__}
    del found["daskgmm.__version__"]
    for name, thing in list(found.items()):
        if isinstance(thing, type):
            found |= {f"{name}.{own}": method for own, method in methods(thing)}
    seen = {}
    return {
        name: seen.setdefault(id(thing), thing)
        for name, thing in found.items()
        if id(thing) not in seen
    }


PUBLIC = public_names()
CALLABLE = {name: thing for name, thing in PUBLIC.items() if not isinstance(thing, property)}
EXAMPLES = CALLABLE | {"daskgmm": daskgmm, "daskgmm.plot": plot}


def of_each(things):
    return pytest.mark.parametrize("name", things)


def test_the_walk_finds_methods_that_are_inherited_conditional_or_of_a_class():
    inherited = {f"daskgmm.BayesianGaussianMixture.{own}" for own in ("fit", "partial_fit", "load")}
    assert inherited | {"daskgmm.GaussianMixture.from_parameters", "daskgmm.sweep"} <= set(PUBLIC)
    assert not [name for name in PUBLIC if name.endswith(("_request", "get_params"))]


@of_each(PUBLIC)
def test_sections_are_whole_and_in_order(name):
    ignored = IGNORED | ({"EX01"} if name not in CALLABLE else set())
    ignored |= {"PR01"} if name in RESULTS else set()
    found = validate(get_doc_object(PUBLIC[name]))["errors"]
    assert [error for error in found if error[0] not in ignored] == []


@of_each(CALLABLE)
def test_parameters_are_explained_and_arrays_have_shapes(name):
    explained = Validator(get_doc_object(CALLABLE[name])).doc_all_parameters
    bare, shapeless = [], []
    for parameter, (kind, lines) in explained.items():
        if SEE.match(kind):
            continue
        if not lines:
            bare.append(parameter)
        if re.search(r"\b(ndarray|array-like)\b", kind) and "(" not in f"{kind} {lines}":
            shapeless.append(parameter)
    assert (bare, shapeless) == ([], [])


@of_each(CALLABLE)
def test_what_is_raised_exists(name):
    known = vars(builtins) | vars(sklearn.exceptions) | ERRORS
    doc = get_doc_object(CALLABLE[name])
    listed = [kind for section in ("Raises", "Warns") for _, kind, _ in doc[section]]
    for kind in re.split(r", ", ", ".join(listed)) if listed else ():
        assert issubclass(known[kind], BaseException), kind


@of_each(CALLABLE)
def test_formulas_have_a_source(name):
    text = CALLABLE[name].__doc__
    if ":math:" in text:
        assert "[1]_" in text, "a formula, and no reference"
    named = set(re.findall(r"\[(\d+)\]_", text))
    assert named == set(re.findall(r"\.\. \[(\d+)\] ", text))


@of_each(EXAMPLES)
def test_examples_run(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = inspect.getdoc(EXAMPLES[name])
    examples = doctest.DocTestParser().get_doctest(text, {}, name, None, None)
    assert examples.examples
    report = []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        doctest.DocTestRunner().run(examples, out=report.append)
    assert report == [], "".join(report)


@of_each(ERRORS)
def test_errors_say_when_they_are_raised(name):
    text = ERRORS[name].__doc__
    assert text
    assert text[0].isupper()
    assert text.partition("\n")[0].endswith(".")
