#!/usr/bin/env python3
"""Check metadata that we make, and those of five hundred odd investigations, by DataCite's own XSD 4.5.

DataCite turns what its REST API is given into XML, and takes a DOI that is no draft only where this XSD does.
It is in the sdist of ``datacite`` 1.3.1, which pip downloads from PyPI; the package turns our JSON into XML.
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tempfile
import warnings
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from attrs import evolve
from hypothesis import HealthCheck, given, settings
from lxml import etree

from plugins.pacer_datacite.tests.test_metadata import BARE, PROPOSAL, document, odd_proposals

VERSION = "1.3.1"
EXAMPLES = 500


def main() -> int:
    """Check everything; return 0 if the XSD takes it."""
    with tempfile.TemporaryDirectory(prefix="datacite-") as folder:
        schema = fetch(Path(folder))
    wrong: set[str] = set()

    def check(metadata: dict[str, Any]) -> None:
        wrong.update(problems(metadata, schema))

    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
    @given(odd_proposals)
    def check_odd_ones(proposal: Any) -> None:
        check(document(proposal))

    check(document())
    check(document(BARE, rights=None, funder=None, language=None))
    check_odd_ones()
    untitled = document()
    untitled["titles"] = []
    if not problems(untitled, schema):
        wrong.add("the XSD takes metadata without a title: it is not in use")
    if not problems({**document(evolve(PROPOSAL)), "publicationYear": "soon"}, schema):
        wrong.add("the XSD takes a year that is none: it is not in use")
    for problem in sorted(wrong):
        print(problem)
    print(f"{2 + EXAMPLES} documents, {len(wrong)} kinds of problems")
    return 1 if wrong else 0


def fetch(folder: Path) -> etree.XMLSchema:
    """Download the sdist and read the XSD in it."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", "datacite"]
    subprocess.run([*command, f"datacite=={VERSION}"], cwd=folder, check=True)
    (archive,) = folder.glob("*.tar.gz")
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    (file,) = folder.glob("*/tests/data/4.5/metadata.xsd")
    return etree.XMLSchema(etree.parse(str(file)))


def problems(metadata: dict[str, Any], schema: etree.XMLSchema) -> Sequence[str]:
    """Give what the XSD has against metadata."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        schema45: Any = import_module("datacite.schema45")
    identifiers = [{"identifier": metadata["doi"], "identifierType": "DOI"}]
    whole = {**{key: value for key, value in metadata.items() if key != "url"}, "identifiers": identifiers}
    schema.validate(etree.fromstring(schema45.tostring(whole).encode()))
    log: Any = schema.error_log
    return [str(error.message) for error in log]


if __name__ == "__main__":
    raise SystemExit(main())
