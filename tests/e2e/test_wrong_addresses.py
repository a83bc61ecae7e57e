"""An end over HTTP whose address leads elsewhere says what it asked, and which option to correct."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import pytest

from pacer_core import IntegrationType, Secret
from pacer_datacite.integration import DATACITE
from pacer_elastic.integration import ELASTIC
from pacer_elastic.options import ElasticOptions
from pacer_http.testing import Reply, StandIn
from pacer_icat import ICAT, IcatOptions
from pacer_icatplus.integration import ICATPLUS
from pacer_icatplus.options import IcatPlusOptions
from pacer_panosc.integration import PANOSC
from pacer_panosc.options import PanoscOptions
from plugins.pacer_datacite.tests.support import options_of

KEY = "a-key-of-icat-plus"
ENDS: dict[str, tuple[IntegrationType[Any], Callable[[str], Any], str]] = {
    "datacite": (DATACITE, lambda url: options_of(system=url), "system"),
    "elastic": (ELASTIC, ElasticOptions, "url"),
    "icatPlus": (ICATPLUS, lambda url: IcatPlusOptions(url, Secret(KEY), ("/data",)), "url"),
    "panosc": (PANOSC, lambda url: PanoscOptions(url, url), "searchUrl"),
    "icat": (ICAT, lambda url: IcatOptions(url, "db", "user", Secret("long-password")), "url"),
}
PAGE = b"<html><body>Cannot GET /</body></html>"


@pytest.mark.parametrize("status", [301, 302, 404])
@pytest.mark.parametrize("name", ENDS)
def test_an_address_that_leads_elsewhere_is_named_with_its_option(name: str, status: int) -> None:
    kind, options_for, option = ENDS[name]
    page = Reply(PAGE, status, {"Content-Type": "text/html", "Location": "https://elsewhere.example.org/"})
    with StandIn(lambda _: page) as stranger, ExitStack() as stack:
        options = options_for(stranger.url)
        shared = () if kind.share is None else (stack.enter_context(kind.share(options)),)
        client = stack.enter_context(kind.open(options, *shared))
        assert kind.check is not None
        with pytest.raises(Exception, match=str(status)) as caught:
            kind.check(client)
        assert kind.is_away(caught.value)
        said = str(caught.value)
        assert stranger.url in said
        assert f"'{option}' has to be " in said
        assert KEY not in said
