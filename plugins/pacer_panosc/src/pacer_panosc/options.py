"""The YAML options of the integration ``panosc``."""

from __future__ import annotations

import string
from datetime import timedelta
from typing import Any

from attrs import field, frozen, validators

from pacer_core import Secret
from pacer_http import is_url

FIELDS = ("doi", "name", "visit", "id")
"""What a ``pid`` may be made of."""


def _is_template(_: Any, __: Any, template: str) -> None:
    try:
        names = [name for _, name, _, _ in string.Formatter().parse(template) if name is not None]
    except ValueError:
        raise ValueError("has a brace without its other half") from None
    if not names or not set(names) <= set(FIELDS):
        raise ValueError(f"should hold some of {', '.join(f'{{{name}}}' for name in FIELDS)}, and no others")


def _not_negative(_: Any, __: Any, time: timedelta) -> None:
    if time < timedelta(0):
        raise ValueError("should not be negative")


@frozen
class PanoscOptions:
    """The search API and the scoring service of a facility.

    Attributes
    ----------
    search_url
        The search API, up to what stands before ``/Documents``.
    scoring_url
        The scoring service, up to what stands before ``/items``.
    username, password
        An account for both, where a proxy in front of them asks for one.
    pid
        How the search API calls the document of an investigation: a template of ``{doi}``, ``{name}``,
        ``{visit}`` and ``{id}``.
    group
        The group of the items; the search API scores the documents of one.
    recompute_after
        How long to wait before the weights are computed anew, so that many items share a run.
    timeout
        How long an answer may take; the scoring service answers nobody while it begins to compute.
    ca_file
        A file of certificates (PEM) to trust instead of the system's.
    """

    search_url: str = field(validator=is_url)
    scoring_url: str = field(validator=is_url)
    username: str | None = None
    password: Secret | None = None
    pid: str = field(default="{doi}", validator=_is_template)
    group: str = "documents"
    recompute_after: timedelta = field(default=timedelta(minutes=5), validator=_not_negative)
    timeout: timedelta = field(default=timedelta(minutes=1), validator=validators.gt(timedelta(0)))
    ca_file: str | None = None

    def __attrs_post_init__(self) -> None:
        if (self.username is None) != (self.password is None):
            raise ValueError("username and password go together")
