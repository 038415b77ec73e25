"""The pages hold what they promise: every public name, and tables as they were measured."""

import importlib
import inspect
import pkgutil
import re
from pathlib import Path

import pytest

import sk_dcedenoise

ROOT = Path(sk_dcedenoise.__file__).parents[1]
DOCS = ROOT / "docs"
pytestmark = pytest.mark.skipif(not DOCS.exists(), reason="docs are not installed")
GENERATED = {"_build", "_tables", "gallery", "generated"}
PAGES = [
    page for page in sorted(DOCS.rglob("*.md")) if not GENERATED & set(page.relative_to(DOCS).parts)
]


def public_names():
    """Module and name of all that users may import."""
    for found in pkgutil.walk_packages(sk_dcedenoise.__path__, "sk_dcedenoise."):
        if any(part.startswith("_") for part in found.name.split(".")):
            continue
        module = importlib.import_module(found.name)
        for name in getattr(module, "__all__", vars(module)):
            thing = getattr(module, name)
            own = hasattr(module, "__all__") or getattr(thing, "__module__", "") == found.name
            if not name.startswith("_") and callable(thing) and own:
                yield f"{found.name}.{name}"


def names_in_the_api():
    """What the API page lists, with the module that it names before."""
    listed, module = set(), None
    for line in (DOCS / "api.rst").read_text(encoding="utf-8").splitlines():
        if line.startswith(".. currentmodule:: "):
            module = line.split(":: ")[1]
        elif re.fullmatch(r"   \w+", line):
            listed.add(f"{module}.{line.strip()}")
    return listed


def test_every_public_name_is_in_the_api():
    assert set(public_names()) == names_in_the_api()


def test_names_of_the_package_itself_are_those_of_their_homes():
    homes = {getattr(sk_dcedenoise, name) for name in sk_dcedenoise.__all__}
    in_api = set()
    for path in names_in_the_api():
        module, name = path.rsplit(".", 1)
        in_api.add(getattr(importlib.import_module(module), name))
    assert homes <= in_api
    assert all(inspect.getdoc(thing) for thing in in_api)


@pytest.mark.parametrize("page", [ROOT / "README.md", *PAGES], ids=lambda page: page.name)
def test_tables_are_those_that_were_measured(page):
    text = page.read_text(encoding="utf-8")
    tables = re.findall(r"<!-- table (\w+) -->\n(.*?)<!-- end (\w+) -->", text, re.DOTALL)
    assert len(tables) == text.count("<!-- table ") == text.count("<!-- end ")
    for stem, table, end in tables:
        assert stem == end
        assert table == (DOCS / "_tables" / f"{stem}.md").read_text(encoding="utf-8")


def test_every_table_has_a_place():
    pages = [ROOT / "README.md", *PAGES]
    text = "".join(page.read_text(encoding="utf-8") for page in pages)
    stems = {path.stem for path in (DOCS / "_tables").glob("*.md")}
    assert stems <= set(re.findall(r"<!-- table (\w+) -->", text))


def test_every_doi_of_a_docstring_is_in_the_bibliography():
    package = Path(sk_dcedenoise.__file__).parent
    code = "".join(path.read_text(encoding="utf-8") for path in package.rglob("*.py"))
    named = {doi.rstrip(".,") for doi in re.findall(r"doi:(10\.[^\s,]+)", code)}
    named |= {number.rstrip(".,") for number in re.findall(r"arXiv:(\d{4}\.\d{5})", code)}
    known = (DOCS / "references.bib").read_text(encoding="utf-8")
    assert len(named) > 20
    assert not {reference for reference in named if f"{{{reference}}}" not in known}
