"""The site: sphinx-build -W -n examples/site build/site."""

import io
import re
import warnings
from contextlib import ExitStack, redirect_stdout

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective
from sphinx_gallery.py_source_parser import split_code_and_text_blocks
from sphinx_gallery.scrapers import matplotlib_scraper

from daskgmm import __version__

project = "daskgmm"
author = "The daskgmm developers"
project_copyright = author
release = __version__
suppress_warnings = ["config.cache"]  # of the function below, which cannot be pickled
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
]
myst_heading_anchors = 3
html_math_renderer = "mathml"
html_theme = "pydata_sphinx_theme"
html_title = project
html_theme_options = {
    "navbar_center": [],
    "secondary_sidebar_items": ["page-toc"],
}
html_context = {"default_mode": "auto"}
html_show_sourcelink = False
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_sidebars = {"**": ["globaltoc.html"], "index": []}
html_extra_path = ["llms.txt"]
# Beside a page there is room for the last part of a name.
toc_object_entries_show_parents = "hide"
autosummary_generate = False  # names stand on one page
autodoc_default_options = {"members": True}
autodoc_typehints = "none"  # types are in the numpydoc sections
numpydoc_show_class_members = False


filters = ExitStack()


def warnings_are_errors(settings, script, when):
    """Let an example fail that warns."""
    if when == "before":
        filters.enter_context(warnings.catch_warnings())
        warnings.simplefilter("error")
    else:
        filters.close()


def pictures(block, names, settings, **others):
    """Save the pictures of a cell; the text above the cell says what they show."""
    found = matplotlib_scraper(block, names, settings, **others)
    _, blocks = split_code_and_text_blocks(names["src_file"])
    above = [text for kind, text, line in blocks if kind == "text" and line < block[2]]
    said = " ".join(above[-1].replace("``", "").split())
    return re.sub(r"(?m)^( *:alt:).*$", lambda alt: f"{alt[1]} {said}", found)


# Examples run when the site is built; an error or a warning of one fails the build.
sphinx_gallery_conf = {
    "examples_dirs": "..",
    "gallery_dirs": "gallery",
    "filename_pattern": r"\.py$",
    "ignore_pattern": r"/site/",
    "image_scrapers": (pictures,),
    "within_subsection_order": "ExampleTitleSortKey",
    "reset_modules": ("matplotlib", warnings_are_errors),
    "reset_modules_order": "both",
    "doc_module": ("daskgmm",),
    "reference_url": {"daskgmm": None},
    "show_signature": False,
    "capture_repr": ("_repr_html_",),
    "write_computation_times": False,
    "min_reported_time": 3600,
}

HASHED = re.compile(r"\[R[0-9a-f]+-(\w+)\]")
"""What numpydoc makes of a citation, so that those of two docstrings differ."""


def plain_citations(app, page, name):
    """Show citations by the numbers that their docstrings give them."""
    for text in [each for each in page.findall(nodes.Text) if HASHED.search(each)]:
        text.parent.replace(text, nodes.Text(HASHED.sub(r"[\1]", text)))


def mathml(writer, node):
    """Write a formula as MathML, which browsers show without a script or a network."""
    block = isinstance(node, nodes.math_block)
    tag, display = ("div", "block") if block else ("span", "inline")
    formula = convert(node.astext(), display=display)
    if "\\" in formula:  # unknown commands are copied
        raise ExtensionError(f"latex2mathml does not know a command of {node.astext()}")
    writer.body.append(f'<{tag} class="formula">{formula}</{tag}>')
    raise nodes.SkipNode


OF_SCIKIT_LEARN = {"get_metadata_routing", "get_params", "set_params"}


def without_scikit_learns(app, what, name, thing, skip, options):
    """Leave out what every estimator has from scikit-learn, whose pages explain it."""
    return True if name in OF_SCIKIT_LEARN or name.endswith("_request") else None


class Executed(SphinxDirective):
    """Code that runs when the page is read, and below it what it prints.

    The cells of a page share their names. An error or a warning fails the build.
    """

    has_content = True

    def run(self):
        """Return the code and its output."""
        code, said = "\n".join(self.content), io.StringIO()
        names = self.env.temp_data.setdefault("executed", {})
        with redirect_stdout(said), warnings.catch_warnings():
            warnings.simplefilter("error")
            exec(compile(code, self.get_source_info()[0], "exec"), names)
        shown = nodes.literal_block(code, code, language="python")
        output = nodes.literal_block(said.getvalue(), said.getvalue(), language="none")
        output["classes"].append("sphx-glr-script-out")
        return [shown, output]


def setup(app):
    """Be the extension that Sphinx takes this file for."""
    app.add_directive("executed", Executed)
    app.add_html_math_renderer("mathml", (mathml, None), (mathml, None))
    app.connect("autodoc-skip-member", without_scikit_learns)
    app.connect("doctree-resolved", plain_citations)
