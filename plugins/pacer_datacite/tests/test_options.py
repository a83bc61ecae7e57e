"""What a configuration may say, and what it may not leave to chance."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from pacer_core import Secret
from pacer_datacite import DataciteOptions, Publisher, Rights
from pacer_datacite.plugin import pacer_integrations, pacer_tasks
from plugins.pacer_datacite.tests.support import options_of


def test_the_system_has_to_be_named() -> None:
    given: dict[str, Any] = {
        "repository": "A.B",
        "password": Secret("secret"),
        "prefix": "10.5072",
        "landing_page": "https://example.org/{doi}",
        "publisher": Publisher("ALBA"),
    }
    with pytest.raises(TypeError, match="system"):
        DataciteOptions(**given)
    assert DataciteOptions(system="test", **given).url == "https://api.test.datacite.org"
    assert DataciteOptions(system="production", **given).url == "https://api.datacite.org"


def test_a_doi_stays_a_draft_unless_the_configuration_says_otherwise() -> None:
    assert attrs.fields(DataciteOptions).state.default == "draft"


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"system": "https://api.datacite.org"}, "write 'production'"),
        ({"system": "https://API.DataCite.org:443/v2"}, "write 'production'"),
        ({"system": "prod"}, "is no http:// or https:// URL"),
        ({"prefix": "10.5072/"}, "is no DOI prefix"),
        ({"prefix": "doi:10.5072"}, "is no DOI prefix"),
        ({"suffix": "{name}"}, "two visits one DOI"),
        ({"landing_page": "https://example.org"}, "needs {doi} or {id}"),
        ({"landing_page": "example.org/{doi}"}, "is no http:// or https:// URL"),
        ({"landing_page": "https://example.org/{suffix}/{doi}"}, "names {suffix}"),
        ({"requests_in_five_minutes": 0}, "must be >="),
        ({"repository": ""}, "must be"),
    ],
)
def test_options_that_cannot_serve_are_refused(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem.replace("{", r"\{")):
        options_of(**changes)


def test_a_publisher_s_identifier_is_one_of_ror() -> None:
    with pytest.raises(ValueError, match="no ROR identifier"):
        Publisher("ALBA", "02j9n6e35")


def test_a_licence_is_found_by_a_uri() -> None:
    with pytest.raises(ValueError, match="no URI"):
        Rights("CC", "creative commons")


def test_the_plugin_adds_its_tasks_to_operations_on_investigations_alone() -> None:
    assert [one.name for one in pacer_tasks("investigation-operations")] == ["mint_proposal", "store_doi"]
    assert list(pacer_tasks("datasets")) == []
    assert [one.name for one in pacer_integrations()] == ["datacite"]
