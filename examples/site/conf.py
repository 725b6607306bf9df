"""The site: sphinx-build -W -n examples/site build/site."""

from daskgmm import __version__

project = "daskgmm"
author = "The daskgmm developers"
project_copyright = author
release = __version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.autosummary", "numpydoc"]
myst_heading_anchors = 3
html_theme = "pydata_sphinx_theme"
html_title = project
html_theme_options = {"navbar_center": []}
html_sidebars = {"**": ["globaltoc.html"], "index": []}
html_extra_path = ["llms.txt"]
autosummary_generate = False  # names stand on one page
autodoc_default_options = {"members": True}
autodoc_typehints = "none"  # types are in the numpydoc sections
numpydoc_show_class_members = False

OF_SCIKIT_LEARN = {"get_metadata_routing", "get_params", "set_params"}


def without_scikit_learns(app, what, name, thing, skip, options):
    """Leave out what every estimator has from scikit-learn, whose pages explain it."""
    return True if name in OF_SCIKIT_LEARN or name.endswith("_request") else None


def setup(app):
    """Be the extension that Sphinx takes this file for."""
    app.connect("autodoc-skip-member", without_scikit_learns)
