"""Translations can begin: every text of the pages is marked, and is in the template."""

from __future__ import annotations

import re
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from django.conf import settings
from django.template import Context, Template
from django.test import override_settings
from django.utils import translation

from tools import translations


def texts(catalog: Catalog) -> set[object]:
    return {one.id for one in catalog if one.id}


def test_the_template_has_the_texts_of_today() -> None:
    there, now = texts(translations.written()), texts(translations.catalog())
    assert len(now) > 300
    assert there == now, "python tools/translations.py writes it anew"


NAMES = {
    *("error-rate", "silence", "dead", "check-overdue", "API", "OpenAPI", "PACER", "Enter", "CSV", "JSONL"),
    *("DOI", "PaNOSC", "Tab", "Shift", "Esc"),
}
"""What is the same in every language: names of programs, keys, fields and parameters."""


def test_no_page_has_words_that_are_not_marked() -> None:
    found: dict[str, list[str]] = {}
    for page in (translations.DASHBOARD / "pages" / "templates").rglob("*.html"):
        if page.name != "styleguide.html":  # it is for who writes pages
            found[page.name] = [word for word in _words(page.read_text()) if word not in NAMES]
    assert len(found) > 30
    assert not {page: words for page, words in found.items() if words}


def _words(page: str) -> list[str]:
    """Give what stands between tags and in attributes that are shown, without what Django writes there."""
    marked = r"{%\s*blocktrans.*?endblocktrans\s*%}|{#.*?#}|{%.*?%}|{{.*?}}"
    text = re.sub(marked, " ", page, flags=re.DOTALL)
    between = re.sub(r"<[^>]*>", "\n", text).split("\n")
    said = re.findall(r"(?:placeholder|title|alt|aria-label)=\"([A-Za-z][^\"=]*)\"", text)
    found = [one.strip(" \u00b7") for one in [*between, *said]]
    return [one for one in found if re.search(r"[A-Za-z]{3}", one)]


def test_a_translation_is_used_where_its_language_is(tmp_path: Path) -> None:
    made = Catalog(locale="fr")
    made.add("Dead queues", "Files mortes")
    folder = tmp_path / "fr" / "LC_MESSAGES"
    folder.mkdir(parents=True)
    with (folder / "django.mo").open("wb") as out:
        write_mo(out, made)
    with override_settings(LOCALE_PATHS=[tmp_path, *settings.LOCALE_PATHS]), translation.override("fr"):
        assert Template("{% load i18n %}{% trans 'Dead queues' %}").render(Context()) == "Files mortes"
