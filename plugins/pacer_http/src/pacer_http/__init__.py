"""HTTP for PACER's plugins: one client, one way to judge answers. The only door to httpcore.

::

    from pacer_core import IntegrationType, Secret
    from pacer_http import HttpClient, is_away, is_url, segment

    @frozen
    class MintOptions:
        url: str = field(validator=is_url)
        username: str
        password: Secret
        timeout: timedelta = timedelta(seconds=30)
        ca_file: str | None = None

    @contextmanager
    def open_mint(options):
        with HttpClient(
            "the mint", options.url, account=(options.username, options.password),
            timeout=options.timeout, ca_file=options.ca_file,
        ) as http:
            yield Mint(http)

    MINT = IntegrationType(name="mint", options=MintOptions, open=open_mint, check=..., is_away=is_away)

    answer = http.request("GET", f"/coins/{segment(name)}", expect=(200, 404))
    if answer.status == 404:
        http.request("PUT", f"/coins/{segment(name)}", json={"name": name})   # any 2xx is expected
    answer.json()

What is not expected is raised, as what PACER does about it:

=============  ==========  ==========================================================================
raised         is a        for
=============  ==========  ==========================================================================
`Away`         ``Retry``   nobody answers, or too late; an answer cut off, or no JSON where JSON belongs;
                           401, 407, 408, 425, 429, 5xx, a redirection. With ``Retry-After`` as its delay
`Forbidden`    ``Retry``   403: somebody has to grant a right; this message waits, others go on
`Missing`      ``NotYet``  404, 410: another message, or somebody, will bring it
`Conflict`     ``Reject``  409, 412: a person has to look
`Refused`      ``Reject``  400, 413, 414, 422: the request itself is wrong
=============  ==========  ==========================================================================

Each has ``status`` (``None`` where there was no answer) and ``answer``. Their texts hold the method, the
path and the status, and nothing that the other side has said: that may quote a person or a secret.

A request that may be repeated (GET, HEAD, PUT, DELETE, or with ``repeatable=True``) is tried three times
within ten seconds; what was not even sent, whatever its method. After that the broker delays the message.
"""

from pacer_http.answers import Answer
from pacer_http.client import HttpClient, Stream
from pacer_http.failures import Away, Conflict, Forbidden, HttpProblem, Missing, Refused, addressed, is_away
from pacer_http.urls import is_url, segment

__all__ = [
    "Answer",
    "Away",
    "Conflict",
    "Forbidden",
    "HttpClient",
    "HttpProblem",
    "Missing",
    "Refused",
    "Stream",
    "addressed",
    "is_away",
    "is_url",
    "segment",
]
