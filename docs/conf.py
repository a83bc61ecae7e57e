"""Sphinx' configuration. Nothing here needs a network."""

import sys
from importlib.metadata import version as version_of
from pathlib import Path

from sphinx.application import Sphinx

sys.path.insert(0, str(Path(__file__).parent))
import generate

project = "PACER"
author = "The PACER maintainers"
project_copyright = author
release = version = version_of("pacer-core")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"PACER {release}"

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
default_role = "any"  # `Retry` in a docstring links to it

copybutton_exclude = ".linenos, .gp, .go"

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
napoleon_google_docstring = False

nitpick_ignore_regex = [
    # Other projects' inventories would have to be fetched.
    ("py:.*", r"(collections|typing|contextlib|datetime|enum|logging|pathlib|click|pluggy|attrs?|kombu|amqp)\..*"),
    ("py:class", "timedelta|Path"),  # as signatures spell them
    ("py:class", r"pacer_core(\.\w+)+\.[A-Z]"),  # type variables
    ("py:class", r".*\s.*"),  # a sentence with a colon below an attribute: napoleon reads a type
]


def setup(app: Sphinx) -> None:
    """Write the generated pages before Sphinx looks for pages."""
    app.connect("builder-inited", lambda _: generate.write())
