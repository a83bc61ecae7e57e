"""Writes the template of the dashboard's translations: ``python tools/translations.py``.

``locale/django.pot`` has every text of the pages and of the code that is marked. A translation is begun by
``msginit -l fr -i django.pot -o fr/LC_MESSAGES/django.po`` beside it; ``msgfmt`` makes its ``django.mo``.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract
from babel.messages.pofile import read_po, write_po

DASHBOARD = Path(__file__).parents[1] / "plugins" / "pacer_dashboard" / "src" / "pacer_dashboard"
TEMPLATE = DASHBOARD / "locale" / "django.pot"
_KEYWORDS = {"gettext": None, "gettext_lazy": None, "ngettext": (1, 2)}
_TEXT = r"u?('(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")"
_MARKED = re.compile(rf" (?:_|gettext|ngettext)\({_TEXT}(?:, *{_TEXT}[^)]*)?\)")
_MADE = datetime(2026, 1, 1, tzinfo=UTC)  # not the day on which somebody ran this

Message = str | tuple[str, ...]


def catalog() -> Catalog:
    """Give all texts that are marked, with the files that have them."""
    made = Catalog(
        project="PACER's dashboard",
        version="0.1",
        header_comment="# Texts of PACER's dashboard, written by tools/translations.py.",
        creation_date=_MADE,
        charset="utf-8",
    )
    for file in sorted(DASHBOARD.rglob("*")):
        found = {".py": _of_code, ".html": _of_template}.get(file.suffix)
        if found is not None and "static" not in file.parts:
            for message in found(file):
                made.add(message, locations=[(file.relative_to(DASHBOARD).as_posix(), 0)])
    return made


def _of_code(file: Path) -> Iterator[Message]:
    with file.open("rb") as source:
        for _, message, _, _ in extract("python", source, keywords=_KEYWORDS):
            yield message if isinstance(message, str) else tuple(message)


def _of_template(file: Path) -> Iterator[Message]:
    """Give the texts of a page, as Django itself rewrites it for gettext's programs."""
    from django.utils.translation.template import templatize

    for one, several in _MARKED.findall(templatize(file.read_text())):
        yield (ast.literal_eval(one), ast.literal_eval(several)) if several else ast.literal_eval(one)


def main() -> None:
    """Write the template."""
    from pacer_dashboard.start import prepare

    prepare()
    TEMPLATE.parent.mkdir(exist_ok=True)
    with TEMPLATE.open("wb") as out:
        write_po(out, catalog(), width=100, include_lineno=False, sort_output=True)


def written() -> Catalog:
    """Give what the template has."""
    with TEMPLATE.open("rb") as source:
        return read_po(source)


if __name__ == "__main__":
    main()
