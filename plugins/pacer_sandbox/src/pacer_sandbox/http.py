"""A request and its answer, as the endpoints see them."""

from attrs import field, frozen


@frozen
class HttpRequest:
    """One HTTP request."""

    method: str
    path: str
    query: str
    host: str
    body: bytes = field(repr=False)


@frozen
class HttpResponse:
    """One answer: status, content and its type."""

    status: int
    body: bytes = field(repr=False)
    kind: str = "application/json"
