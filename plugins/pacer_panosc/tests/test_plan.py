"""What `pacer plan` says of ``create-panosc-item``: both services are asked, and told nothing."""

from __future__ import annotations

import json
from contextlib import ExitStack
from typing import Any

from pacer_core.testing import foresee
from pacer_icat import ICAT
from pacer_panosc import PANOSC
from pacer_sandbox import IcatSandbox
from pacer_sandbox.misbehave import WRITES
from plugins.pacer_panosc.tests.conftest import DOI, ITEM, NAME, TASKS, VISIT, Facility
from plugins.pacer_panosc.tests.services import Pss, SearchApi


def said(facility: Facility) -> dict[str, Any]:
    body = json.dumps({"name": NAME, "visit_id": VISIT, "operations": ["create-panosc-item"]})
    with ExitStack() as stack:
        clients: dict[Any, Any] = {ICAT: facility.icat, PANOSC: facility.panosc(stack)}
        return dict(foresee(TASKS, body, integrations=clients))


def test_an_item_is_new_changed_or_there_and_nothing_is_written_to_find_out(
    facility: Facility, pss: Pss, icat_server: IcatSandbox
) -> None:
    icat_server.misbehave.calls.clear()
    found = []
    for held in ({}, {DOI: {**ITEM, "group": "another"}}, {DOI: ITEM}):
        pss.items = {key: dict(value) for key, value in held.items()}
        plans = said(facility)
        ((item,), (weights,)) = plans["create_panosc_item"], plans["recompute_scores"]
        found.append((item.change, item.what))
        assert (weights.change, weights.what) == ("changed", "weights of all items")
        assert pss.items == held
    assert found == [("new", f"item {DOI}"), ("changed", f"item {DOI}"), ("there", f"item {DOI}")]
    requests = [*facility.search.requests, *facility.scoring.requests]
    assert {request.method for request in requests} == {"GET"}
    assert pss.runs == 0
    assert sum(icat_server.misbehave.calls[one] for one in WRITES) == 0


def test_a_document_that_is_not_public_is_waited_for(facility: Facility, search_api: SearchApi) -> None:
    search_api.documents = []
    found = said(facility)
    assert found["create_panosc_item"].kind == "not-yet"
    assert "recompute_scores" not in found
