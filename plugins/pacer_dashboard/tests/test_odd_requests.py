"""Whatever stands in an address or a form, a page answers: PostgreSQL takes less than SQLite does."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from django.contrib.auth.models import User
from django.test import Client

from pacer_dashboard.place import Place

pytestmark = pytest.mark.usefixtures("testserver")
ODD = ("\0", "9" * 30, "-1", "0001-01-01", "%", "x" * 3000)
ADDRESSES = (
    "/?q={}", "/?id={}", "/?since={}", "/?after={}", "/?group={}", "/messages/{}", "/messages/?id={}",
    "/messages.csv?until={}", "/payload?id={}&sight={}", "/errors/?state={}", "/errors/{}",
    "/statistics/?since={}",
    "/again/?page={}", "/again/one?id={}", "/again/{}", "/audit/?actor={}", "/checks/?page={}", "/checks/{}",
    "/alerts/{}",
)  # fmt: skip
FORMS = {
    "/acknowledge": {"id": "x", "note": "{}"},
    "/errors/resolve": {"group": "{}", "note": "{}"},
    "/again/new": {"all": "1", "query": "state={}", "reason": "{}", "rate": "{}", "send": "1"},
    "/views/": {"name": "{}", "query": "q={}"},
    "/alerts/new": {"name": "{}", "kind": "dead", "window_minutes": "{}"},
    "/tokens": {"name": "{}", "role": "{}", "days": "{}"},
}


def test_no_page_fails_by_what_it_is_asked(each_stored: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RMQ_HOST", raising=False)
    client = Client(raise_request_exception=False)
    client.force_login(User.objects.create_superuser("ada"))
    answers = {}
    for odd in ODD:
        for address in ADDRESSES:
            url = address.replace("{}", quote(odd, safe=""))
            answers[url[:60]] = client.get(url).status_code
        for address, form in FORMS.items():
            said = {name: value.replace("{}", odd) for name, value in form.items()}
            answers[f"POST {address} {odd[:20]!r}"] = client.post(address, said).status_code
    assert not {url: status for url, status in answers.items() if status >= 500}
    assert {answers[f"POST {address} {ODD[0]!r}"] for address in FORMS} == {400}
