"""What `pacer plan` says of ``mint-proposal``: DataCite and ICAT are asked, and told nothing."""

from __future__ import annotations

import json
from typing import Any

from pacer_core.testing import foresee
from pacer_datacite import DATACITE, Datacite
from pacer_http.testing import StandIn
from pacer_icat import ICAT, IcatClient
from pacer_sandbox import IcatSandbox
from pacer_sandbox.misbehave import WRITES
from plugins.pacer_datacite.tests.lupo import Lupo
from plugins.pacer_datacite.tests.support import CONSUMER, DOI, OPTIONS, Send, client_of, doi_in_icat, message


def said(icat: IcatClient, datacite: Datacite, **changes: Any) -> dict[str, Any]:
    """Give what each task plans, as texts."""
    found = foresee(CONSUMER, json.dumps(message(**changes)), integrations={ICAT: icat, DATACITE: datacite})
    plans = {task: plan for task, plan in found.items() if isinstance(plan, tuple)}
    return {task: [(one.change, one.what, one.detail) for one in plan] for task, plan in plans.items()}


def test_a_doi_that_would_be_minted_is_named_and_nobody_is_told_of_it(
    icat: IcatClient, datacite: Datacite, service: StandIn, lupo: Lupo, icat_server: IcatSandbox
) -> None:
    icat_server.misbehave.calls.clear()
    found = said(icat, datacite)
    assert found["mint_proposal"] == [("new", f"DOI {DOI} at DataCite", "findable")]
    ((change, what, detail),) = found["store_doi"]
    assert (change, what.startswith("investigation "), detail) == ("changed", True, f"DOI {DOI}")
    assert {request.method for request in service.requests} == {"GET"}
    assert sum(icat_server.misbehave.calls[one] for one in WRITES) == 0
    assert (lupo.dois, doi_in_icat(icat.shared)) == ({}, None)


def test_what_is_planned_is_what_happens_and_then_only_metadata_are_sent_again(
    send: Send, icat: IcatClient, service: StandIn, lupo: Lupo
) -> None:
    with client_of(service, **{**OPTIONS, "state": "draft"}) as drafting:
        assert said(icat, drafting)["mint_proposal"] == [("new", f"DOI {DOI} at DataCite", "draft")]
    assert send().error is None
    (stored,) = lupo.dois.values()
    held, asked = dict(stored.attributes), len(service.requests)
    with client_of(service, **OPTIONS) as datacite:
        found = said(icat, datacite)
    assert found["mint_proposal"] == [
        ("changed", f"DOI {DOI} at DataCite", "its metadata are sent again; findable")
    ]
    assert [one[0] for one in found["store_doi"]] == ["there"]
    assert {request.method for request in service.requests[asked:]} == {"GET"}
    assert dict(stored.attributes) == held


def test_a_doi_of_somebody_else_is_said_beforehand(
    send: Send, icat: IcatClient, datacite: Datacite, lupo: Lupo
) -> None:
    assert send().error is None
    lupo.dois[DOI].attributes["url"] = "https://elsewhere.example.org/"
    clients: dict[Any, Any] = {ICAT: icat, DATACITE: datacite}
    found: dict[str, Any] = dict(foresee(CONSUMER, json.dumps(message()), integrations=clients))
    failure = found["mint_proposal"]
    assert failure.kind == "reject"
    assert "leads to https://elsewhere.example.org/" in failure.reason
    assert "store_doi" not in found
