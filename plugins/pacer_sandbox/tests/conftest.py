"""What the tests of the sandbox share: raw calls, as any client may send them."""

import http.client
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlencode, urlsplit
from xml.sax.saxutils import escape

import pytest
from attrs import frozen
from lxml import etree

from pacer_sandbox import IcatSandbox

NS = "http://icatproject.org"


@frozen
class Wire:
    """SOAP and REST calls to a sandbox, written by hand."""

    url: str

    def http(
        self, method: str, path: str, body: bytes | str | None = None, kind: str = ""
    ) -> tuple[int, bytes]:
        """Make a call and return status and body."""
        parts = urlsplit(self.url)
        connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=30)
        try:
            connection.request(method, path, body, {"Content-Type": kind} if kind else {})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def soap(self, operation: str, inner: str = "") -> list[Any]:
        """Make a SOAP call and return its ``return`` elements; AssertionError with the fault's type."""
        body = (
            f'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns:i="{NS}"'
            ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
            f"<s:Body><i:{operation}>{inner}</i:{operation}></s:Body></s:Envelope>"
        )
        _, data = self.http("POST", "/ICATService/ICAT", body.encode(), "text/xml")
        root = etree.fromstring(data)
        fault = root.find(f".//{{{NS}}}IcatException")
        if fault is not None:
            raise AssertionError(f"{fault.findtext('type')} {fault.findtext('message')}")
        plain = root.findtext(".//faultstring")
        assert plain is None, plain
        return root.findall(".//return")

    def login(self, name: str = "root", plugin: str = "simple", password: str = "secret") -> str:
        """Log in and return the session."""
        entries = "".join(
            f"<entry><key>{k}</key><value>{v}</value></entry>"
            for k, v in (("username", name), ("password", password))
        )
        found = self.soap("login", f"<plugin>{plugin}</plugin><credentials>{entries}</credentials>")
        return str(found[0].text)

    def create(self, session: str, bean: str, inner: str) -> int:
        """Create an object from the XML of its fields."""
        xml = f'<sessionId>{session}</sessionId><bean xsi:type="i:{bean}">{inner}</bean>'
        return int(self.soap("create", xml)[0].text)

    def search(self, session: str, query: str) -> list[Any]:
        """Return the elements that a search finds."""
        return self.soap("search", f"<sessionId>{session}</sessionId><query>{escape(query)}</query>")

    def values(self, session: str, query: str) -> list[str]:
        """Return the texts of a search for one attribute."""
        return [element.text or "" for element in self.search(session, query)]

    def rest(self, method: str, path: str, **parameters: Any) -> tuple[int, Any]:
        """Make a REST call and return its status and what the JSON says."""
        texts = {k: v if isinstance(v, str) else json.dumps(v) for k, v in parameters.items()}
        target = f"/icat/{quote(path)}"
        if method in ("POST", "PUT"):
            status, body = self.http(method, target, urlencode(texts), "application/x-www-form-urlencoded")
        else:
            status, body = self.http(method, f"{target}?{urlencode(texts)}")
        return status, json.loads(body) if body[:1] in (b"{", b"[") else body.decode()


@pytest.fixture
def wire(icat_server: IcatSandbox) -> Wire:
    """Return raw access to the sandbox of this session."""
    return Wire(icat_server.url)


@pytest.fixture
def root(wire: Wire) -> str:
    """Return a session of the root user."""
    return wire.login()


@pytest.fixture(scope="session")
def wire_to() -> Callable[[IcatSandbox], Wire]:
    """Return what makes raw access to another sandbox."""
    return lambda icat: Wire(icat.url)


@pytest.fixture(scope="session")
def wire_at() -> Callable[[str], Wire]:
    """Return what makes raw access to a sandbox in another process."""
    return Wire
