"""Who may upload what: Pacifica's policy service, or rules of the configuration."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from fnmatch import fnmatchcase
from typing import Any, Protocol

from attrs import field, frozen, validators

from pacer_core import IntegrationType, redact
from pacer_http import Answer, HttpClient, is_away, is_url
from pacer_pacifica.bundles.metadata import INSTRUMENT, PROJECT, SUBMITTER, Metadata

_LONGEST = 500
_HEADER = "X-Http-Authed-User"


def _some(_: Any, __: Any, patterns: tuple[str, ...]) -> None:
    if not patterns:
        raise ValueError("names nobody and nothing: leave it out, where anything will do")


@frozen
class Rule:
    """Allows an upload where each of its lists has a pattern that fits; a list that is left out fits all.

    Attributes
    ----------
    users
        Whom the service's authentication has seen.
    submitters, projects, instruments
        What ``metadata.txt`` says of ``Transactions``. In a submitter ``{user}`` is the one of ``users``.
    """

    users: tuple[str, ...] = field(default=("*",), validator=_some)
    submitters: tuple[str, ...] = field(default=("*",), validator=_some)
    projects: tuple[str, ...] = field(default=("*",), validator=_some)
    instruments: tuple[str, ...] = field(default=("*",), validator=_some)

    def allows(self, terms: Mapping[str, str], user: str) -> bool:
        """Tell whether it allows an upload of a user's."""
        return (
            _fits(user, self.users)
            and any(one == "{user}" and terms[SUBMITTER] == user for one in self.submitters)
            | _fits(terms[SUBMITTER], self.submitters)
            and _fits(terms[PROJECT], self.projects)
            and _fits(terms[INSTRUMENT], self.instruments)
        )


def _fits(value: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(value, pattern) for pattern in patterns if pattern != "{user}")


@frozen
class PolicyOptions:
    """Who may upload what: one of ``url`` and ``rules``.

    Attributes
    ----------
    url
        Where Pacifica's policy service checks metadata: ``http://policy.example.org:8181/ingest``.
    rules
        Rules instead, of which one has to allow an upload.
    timeout
        How long one answer may take.
    ca_file
        Certificates (PEM) to trust instead of the system's.
    """

    url: str | None = field(default=None, validator=validators.optional(is_url))
    rules: tuple[Rule, ...] = ()
    timeout: timedelta = field(default=timedelta(seconds=60), validator=validators.gt(timedelta(0)))
    ca_file: str | None = None

    def __attrs_post_init__(self) -> None:
        """Refuse two policies, or none."""
        if (self.url is None) == (not self.rules):
            raise ValueError(
                "needs either 'url', a policy service, or 'rules': without a rule nobody may upload"
            )


class Policy(Protocol):
    """Says whether an upload is allowed."""

    def check(self) -> None:
        """Ask whether it is there."""
        ...

    def refusal(self, metadata: Metadata, user: str) -> str:
        """Give why an upload of a user's is not allowed, or ``""`` where it is.

        Raises
        ------
        Away
            Where nobody can say just now.
        """
        ...


class Rules:
    """Rules of the configuration."""

    def __init__(self, rules: tuple[Rule, ...]) -> None:
        self._rules = rules

    def check(self) -> None:
        """Say nothing: rules are always there."""

    def refusal(self, metadata: Metadata, user: str) -> str:
        """Give why an upload is not allowed, or ``""``."""
        if any(rule.allows(metadata.terms, user) for rule in self._rules):
            return ""
        said = ", ".join(f"{name} {metadata.terms[name]!r}" for name in (PROJECT, INSTRUMENT, SUBMITTER))
        return f"no rule of the policy allows an upload with {said} by this user"


class PolicyService:
    """Pacifica's policy service: 200 allows, 412 does not."""

    def __init__(self, http: HttpClient) -> None:
        self._http = http

    def check(self) -> None:
        """Ask about nothing, which it refuses: it is there."""
        self._http.request("POST", "", json=[], expect=(200, 412), repeatable=True)

    def refusal(self, metadata: Metadata, user: str) -> str:
        """Ask about the metadata as they came."""
        answer = self._http.request(
            "POST",
            "",
            json=list(metadata.rows),
            headers={_HEADER: user} if user.isascii() and user.isprintable() else None,
            expect=(200, 412),
            repeatable=True,
        )
        if answer.status == 412:
            return f"the policy service refuses the upload: {said_by(answer)}"
        return (
            ""
            if answer.entries().get("status") == "success"
            else f"the policy service says: {said_by(answer)}"
        )


def said_by(answer: Answer) -> str:
    """Give what a service of Pacifica says of an error: its ``message``, in one line, not its traceback."""
    try:
        found = answer.json()
    except Exception:
        found = None
    message = found.get("message") if isinstance(found, Mapping) else None
    text = " ".join(str(message).split()) if message else "without a reason"
    return redact(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}...")


@contextmanager
def open_policy(options: PolicyOptions) -> Iterator[Policy]:
    """Give the policy of a process."""
    if options.url is None:
        yield Rules(options.rules)
        return
    with HttpClient("the policy", options.url, timeout=options.timeout, ca_file=options.ca_file) as http:
        yield PolicyService(http)


PACIFICA_POLICY: IntegrationType[Policy] = IntegrationType(
    name="pacifica-policy",
    options=PolicyOptions,
    open=open_policy,
    check=lambda policy: policy.check(),
    is_away=is_away,
)
"""``ctx[PACIFICA_POLICY]`` is the process's `Policy`."""
