"""What `pacer plan` says of a gallery is what is uploaded; for being asked nothing is, nor written."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from pacer_core import Outcome, Planned
from pacer_core.testing import foresee
from pacer_http.testing import StandIn
from pacer_icat import ICAT, IcatClient, ref
from pacer_icatplus import ICATPLUS, IcatPlus
from plugins.pacer_icatplus.tests.support import CONSUMER, PATHS, Send, Visit, client_of, deliver_to, in_icat

Foretold = Callable[..., Sequence[tuple[str, str]]]


@pytest.fixture
def foretold(icat: IcatClient, server: IcatPlus, service: StandIn) -> Foretold:
    """Ask what would become of a gallery; gives the numbers of images with their changes."""

    def foretold(message: Any, server: IcatPlus = server) -> Sequence[tuple[str, str]]:
        before = (len(service.requests), in_icat(icat.shared))
        said = foresee(CONSUMER, json.dumps(message), integrations={ICAT: icat, ICATPLUS: server})
        assert (len(service.requests), in_icat(icat.shared)) == before
        planned = said["upload_gallery"]
        assert isinstance(planned, tuple), planned
        assert all(isinstance(one, Planned) for one in planned)
        return [(one.what.removesuffix(" of the gallery"), one.change) for one in planned]

    return foretold


def test_images_would_be_uploaded_with_a_dataset_that_is_new_and_once(
    foretold: Foretold, send: Send, visit: Visit, service: StandIn
) -> None:
    assert foretold(visit.message()) == []
    visit.write("a.png")
    visit.write("b.png")
    assert foretold(visit.message()) == [("2 images", "new")]
    assert send(visit.message()).outcome is Outcome.ACKED
    assert len(service.requests) == 2
    assert foretold(visit.message()) == [("2 images", "there")]
    visit.write("c.png")
    assert foretold(visit.message()) == [("1 image", "new"), ("2 images", "there")]
    assert send(visit.message()).outcome is Outcome.ACKED
    assert len(service.requests) == 3


def test_images_that_would_be_left_out_are_told_with_the_reason(
    foretold: Foretold, visit: Visit, service: StandIn, icat: IcatClient
) -> None:
    visit.write("large.png", b"12345")
    for number in range(20):
        visit.write(f"{number:02}{'long' * 60}.png", b"")
    with client_of(service, visit.root, max_file_size=4) as server:
        said = foretold(visit.message(), server)
        deliver_to(icat, server, visit.message(), twice=False)
    uploaded = len(service.requests)
    assert 0 < uploaded < 20
    left = 20 - uploaded
    assert said == [("1 image", "left-out"), (f"{uploaded} images", "new"), (f"{left} images", "left-out")]


@pytest.mark.parametrize("how", ["replaced", "gone"])
def test_paths_that_no_longer_fit_the_ids_would_be_mended(
    foretold: Foretold, send: Send, visit: Visit, icat: IcatClient, how: str
) -> None:
    file = visit.write("a.png")
    send(visit.message())
    wire = icat.shared.wire
    (record,) = wire.search(
        "SELECT p FROM DatasetParameter p WHERE p.type.name = :name AND p.dataset.name = 'run1' INCLUDE 1",
        name=PATHS,
    )
    if how == "gone":
        wire.delete_many([ref("DatasetParameter", record.id)])
    else:
        wire.update(record, stringValue="else.png")
    assert foretold(visit.message()) == [
        (f"parameter {PATHS!r}", "changed"),
        ("1 image", "there"),
    ]
    assert send(visit.message()).outcome is Outcome.ACKED
    assert in_icat(icat.shared)[0] == [str(file)]
