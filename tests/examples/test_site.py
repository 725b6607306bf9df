"""The site builds without a warning or a broken reference, and runs every example; it has every
public name, and its pictures have alt texts."""

import ast
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import daskgmm
import daskgmm.errors
from daskgmm import plot

ROOT = Path(__file__).parents[2]
SITE = ROOT / "examples" / "site"
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
DOCUMENTS = [ROOT / "README.md", *sorted(SITE.glob("*.md"))]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    pytest.importorskip("sphinx")
    out = tmp_path_factory.mktemp("site") / "html"
    command = [sys.executable, "-m", "sphinx", "-n", "-W", "-q", SITE, out]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=500, check=False
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return out


@pytest.mark.parametrize("script", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_read_in_one_sitting(script):
    lines = [line for line in script.read_text(encoding="utf-8").splitlines() if line.strip()]
    assert 20 <= len(lines) <= 80


@pytest.mark.parametrize("script", EXAMPLES, ids=lambda path: path.stem)
def test_no_cell_of_a_notebook_shows_a_value_by_accident(script):
    cells = re.split(r"(?m)^# %%.*$", script.read_text(encoding="utf-8"))
    ends = [ast.parse(cell).body[-1] for cell in cells[1:]]
    calls = [ast.unparse(end.value.func) for end in ends if isinstance(end, ast.Expr)]
    assert set(calls) <= {"print", "plt.show", "folder.cleanup", "mixture.fit"}


@pytest.mark.slow
def test_every_example_is_a_page_with_its_output_a_script_and_a_notebook(built):
    assert len(EXAMPLES) >= 17
    for script in EXAMPLES:
        page = (built / "gallery" / f"{script.stem}.html").read_text(encoding="utf-8")
        assert "sphx-glr-script-out" in page or "sphx-glr-single-img" in page, script
        assert f"{script.stem}.py" in page, script
        assert f"{script.stem}.ipynb" in page, script


@pytest.mark.slow
def test_alt_texts_of_the_gallery_say_what_is_seen(built):
    for script in EXAMPLES:
        page = (built / "gallery" / f"{script.stem}.html").read_text(encoding="utf-8")
        pictures = re.findall(r"<img[^>]*sphx-glr-[a-z]+-img[^>]*>", page)
        texts = [re.search(r'alt="([^"]*)"', picture)[1] for picture in pictures]
        for text in texts:
            assert len(text.split()) >= 5, (script.stem, text)


@pytest.mark.slow
def test_notebooks_hold_the_code_that_the_build_has_run(built):
    """They are made of the scripts, so they need no run of their own; a kernel's directory and
    module have no __file__."""
    for script in EXAMPLES:
        (notebook,) = (built / "_downloads").glob(f"*/{script.stem}.ipynb")
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
        code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
        inside = ast.parse("\n".join(cell for cell in code if not cell.startswith("%")))
        own = ast.parse(script.read_text(encoding="utf-8"))
        assert ast.get_docstring(own), script
        own.body = own.body[1:]
        assert ast.dump(inside) == ast.dump(own), script
        assert "__file__" not in ast.dump(own), script
        assert [cell for cell in cells if cell["cell_type"] == "markdown"], script


@pytest.mark.slow
def test_every_public_name_is_in_the_reference(built):
    reference = (built / "api.html").read_text(encoding="utf-8")
    names = [f"daskgmm.{name}" for name in daskgmm.__all__ if name != "__version__"]
    names += [f"daskgmm.plot.{name}" for name in plot.__all__]
    names += [
        f"daskgmm.errors.{name}"
        for name, thing in vars(daskgmm.errors).items()
        if isinstance(thing, type) and thing.__module__ == "daskgmm.errors"
    ]
    assert [name for name in names if f'id="{name}"' not in reference] == []
    assert re.findall(r"\[R[0-9a-f]+-\w+\]", reference) == []
    assert ">map_adapt()<" in re.sub(r"</?(code|span)[^>]*>", "", reference)  # in the contents


@pytest.mark.slow
def test_pages_on_other_tools_compute_their_numbers(built):
    """What the code of a cell prints stands below it."""
    theirs = re.sub(r"<.*?>", "", (built / "mclust.html").read_text(encoding="utf-8"))
    assert re.search(r"BIC of mclust +-574\.0178, it prints -574\.0178", theirs)
    assert re.search(r"BIC +-574\.0178 +574\.0178 +574\.0178", theirs)
    page = re.sub(r"<.*?>", "", (built / "scikit-learn.html").read_text(encoding="utf-8"))
    ((_, their_path, default),) = re.findall(r"n_iter_ +(\d+) +(\d+) +(\d+)\n", page)
    assert re.search(rf"n_iter_ +{their_path} +{their_path} +{default}", page)


@pytest.mark.slow
def test_no_page_scrolls_sideways_on_a_phone(built):
    browser = shutil.which("chromium")
    if browser is None:
        pytest.skip("chromium is missing")
    pages = [str(page.relative_to(built)) for page in sorted(built.rglob("*.html"))]
    measure = Path(__file__).with_name("widths.html").read_text(encoding="utf-8")
    own = built / "widths.html"
    own.write_text(measure.replace("pages = []", f"pages = {json.dumps(pages)}"), encoding="utf-8")
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"]
    command += ["--allow-file-access-from-files", "--virtual-time-budget=100000", own.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert f"measured {len(pages)}, wide: ." in done.stdout


@pytest.mark.slow
def test_pages_load_nothing_from_the_network(built):
    """Formulas are MathML, and styles, scripts and pictures lie beside the pages."""
    for page in built.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        loaded = re.findall(r'<(?:script|img|iframe)[^>]* src="(https?:[^"]*)"', text)
        loaded += re.findall(r'<link rel="(?:stylesheet|preload)"[^>]* href="(https?:[^"]*)"', text)
        assert loaded == [], page
    assert "<mover" in (built / "api.html").read_text(encoding="utf-8")


@pytest.mark.slow
def test_what_llms_txt_names_exists(built):
    listed = re.findall(r"\]\((.*?)\)", (built / "llms.txt").read_text(encoding="utf-8"))
    assert listed
    assert [page for page in listed if not (built / page).exists()] == []


@pytest.mark.parametrize("page", ["promises", "known-problems"])
def test_tests_that_a_page_names_are_there(page):
    named = re.findall(
        r"`([a-z]+/(?:\w+\.py)?)`", (SITE / f"{page}.md").read_text(encoding="utf-8")
    )
    assert len(named) > 5
    assert [name for name in named if not (ROOT / "tests" / name).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.stem)
def test_pictures_have_alt_texts_and_links_lead_somewhere(document):
    text = re.sub(r"```.*?```", "", document.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert "![](" not in text
    links = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", text)
    assert [link for link in links if not (document.parent / link).exists()] == []
