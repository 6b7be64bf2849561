"""Sphinx configuration; `make docs` builds the site."""

from archsmith import __version__

project = "archsmith"
copyright = "the archsmith authors"  # noqa: A001  # Sphinx reads this name
release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc"]
exclude_patterns = ["_build"]
myst_heading_anchors = 3
default_role = "literal"  # docstrings write code in single backticks
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"

html_theme = "furo"
html_title = f"archsmith {__version__}"
