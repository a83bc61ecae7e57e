"""Sphinx' configuration. Nothing here needs a network."""

import os
import re
import subprocess
from importlib.metadata import version as version_of
from pathlib import Path


def repository() -> str:
    """Give the address of the repository that the pages are edited in; empty where nobody knows it.

    It is ``PACER_REPOSITORY``, or where this checkout was cloned from, if that is a site with pages.
    """
    if known := os.environ.get("PACER_REPOSITORY"):
        return known
    done = subprocess.run(
        ["git", "remote", "get-url", "origin"],  # noqa: S607 - whichever git there is
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
    )
    found = re.fullmatch(
        r"(?:https://(?:[^@/]*@)?|git@|ssh://git@)([\w.-]+)[:/](.+?)(?:\.git)?", done.stdout.strip()
    )
    return f"https://{found[1]}/{found[2]}" if found else ""


project = "PACER"
author = "The PACER maintainers"
project_copyright = author
release = version = version_of("pacer-core")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton"]
exclude_patterns = ["_build"]
linkcheck_ignore = [r"http://(127\.0\.0\.1|localhost)[:/]"]  # what readers start themselves
html_theme = "furo"
html_title = f"PACER {release}"
html_static_path = ["_static"]
html_css_files = ["pacer.css"]
html_js_files = ["versions.js"]
templates_path = ["_templates"]
html_sidebars = {
    "**": [
        "sidebar/brand.html",
        "sidebar/versions.html",
        "sidebar/search.html",
        "sidebar/scroll-start.html",
        "sidebar/navigation.html",
        "sidebar/scroll-end.html",
    ]
}
html_theme_options = {}
if address := repository():
    at = "-/" if "gitlab" in address else ""
    html_theme_options["source_edit_link"] = f"{address}/{at}edit/main/docs/{{filename}}"
    html_theme_options["source_view_link"] = f"{address}/{at}blob/main/docs/{{filename}}"

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
default_role = "any"  # `Retry` in a docstring links to it

copybutton_exclude = ".linenos, .gp, .go"
copybutton_prompt_text = "$ "  # in blocks that are no console's for Pygments

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
napoleon_google_docstring = False

nitpick_ignore_regex = [
    # Other projects' inventories would have to be fetched.
    (
        "py:.*",
        r"(collections|typing|contextlib|datetime|enum|logging|pathlib|click|pluggy|attrs?|kombu|amqp)\..*",
    ),
    ("py:class", "timedelta|Path"),  # as signatures spell them
    ("py:class", r"pacer_core(\.\w+)+\.[A-Z]"),  # type variables
    ("py:class", r".*\s.*"),  # a sentence with a colon below an attribute: napoleon reads a type
]
