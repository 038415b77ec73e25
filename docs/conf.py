"""Configuration of Sphinx: ``make docs`` builds the pages, the API reference and the gallery."""

import os
import warnings

import sk_dcedenoise

project = "sk_dcedenoise"
author = "The sk_dcedenoise developers"
copyright = author
version = release = sk_dcedenoise.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "myst_parser",
    "sphinx_gallery.gen_gallery",
    "sphinxcontrib.bibtex",
]
exclude_patterns = ["_build", "_tables", "examples", "gallery/**/*.ipynb"]
templates_path = ["_templates"]

# Markdown: headings can be linked to, dollar signs make formulae.
myst_enable_extensions = ["dollarmath", "deflist"]
myst_heading_anchors = 3

bibtex_bibfiles = ["references.bib"]
bibtex_default_style = "unsrt"

autosummary_generate = True
autodoc_preserve_defaults = True
numpydoc_show_class_members = False

html_theme = "furo"
html_title = f"sk_dcedenoise {release}"
html_static_path = ["_static"]
html_copy_source = False
html_show_sphinx = False

sphinx_gallery_conf = {
    "examples_dirs": "examples",
    "gallery_dirs": "gallery",
    "filename_pattern": r"plot_",
    "abort_on_example_error": True,
    "download_all_examples": False,
    "within_subsection_order": "FileNameSortKey",
    "reference_url": {"sk_dcedenoise": None},
    # Show what an example prints, and not what its last line happens to return.
    "capture_repr": (),
    "show_signature": False,
    # How long an example takes says something of the machine that built the page, not of us.
    "min_reported_time": 1e9,
    "write_computation_times": False,
    "show_memory": False,
}

# Examples train networks so small that a second thread only costs; what they warn of is an error.
os.environ.setdefault("OMP_NUM_THREADS", "1")
warnings.filterwarnings("error", module="sk_dcedenoise")


def leave_others_out(app, what, name, thing, skip, options):
    """Leave out of a class's page what it inherits from scikit-learn, skorch and others."""
    function = getattr(thing, "fget", None) or getattr(thing, "__func__", thing)
    module = getattr(function, "__module__", None) or ""
    return skip or not module.startswith("sk_dcedenoise")


def setup(app):
    """Connect what is above."""
    app.connect("autodoc-skip-member", leave_others_out)
