"""The YAML options of the integration ``datacite``."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Literal
from urllib.parse import quote, urlsplit

from attrs import field, frozen, validators

from pacer_core import Reject, Secret
from pacer_datacite.doi import PREFIX, Identity, check_template, fields_of
from pacer_http import is_url

SYSTEMS = {"production": "https://api.datacite.org", "test": "https://api.test.datacite.org"}
"""DataCite's two REST APIs."""

State = Literal["draft", "registered", "findable"]
FunderIdentifierType = Literal["ROR", "Crossref Funder ID", "GRID", "ISNI", "Other"]

_SAID: Any = validators.min_len(1)


def _is_system(_: Any, attribute: Any, value: str) -> None:
    if value in SYSTEMS:
        return
    is_url(_, attribute, value)
    if urlsplit(value).hostname == urlsplit(SYSTEMS["production"]).hostname:
        raise ValueError("is DataCite's production system: write 'production' if you mean that")


def _is_prefix(_: Any, __: Any, value: str) -> None:
    if not PREFIX.fullmatch(value):
        raise ValueError("is no DOI prefix, such as 10.12345")


def _is_suffix(_: Any, __: Any, value: str) -> None:
    check_template(value)


def _is_page(instance: Any, attribute: Any, value: str) -> None:
    named = fields_of(value)
    if wrong := sorted(named - {"doi", "id", "name", "visit"}):
        raise ValueError(f"names {{{wrong[0]}}}; there are doi, id, name and visit")
    if not named & {"doi", "id"}:
        raise ValueError("would send several DOIs to one page: it needs {doi} or {id}")
    page = value.format_map(dict.fromkeys(named, "1"))
    parts = urlsplit(page)
    if parts.scheme not in ("http", "https") or not parts.hostname or " " in page:
        raise ValueError("is no http:// or https:// URL")


def _is_ror(_: Any, __: Any, value: str | None) -> None:
    if value is not None and not value.startswith("https://ror.org/"):
        raise ValueError("is no ROR identifier, such as https://ror.org/02e24yw40")


def _is_uri(_: Any, __: Any, value: str | None) -> None:
    if value is not None and (not urlsplit(value).scheme or " " in value):
        raise ValueError("is no URI")


@frozen
class Publisher:
    """Who makes the data public: the facility.

    Attributes
    ----------
    name
        Its name, as it shall be cited.
    ror
        Its identifier at the Research Organization Registry.
    """

    name: str = field(validator=_SAID)
    ror: str | None = field(default=None, validator=_is_ror)


@frozen
class Rights:
    """The licence of the data.

    Attributes
    ----------
    name
        Its name in words.
    uri
        Where it can be read.
    identifier
        Its short name in SPDX's list of licences (``CC-BY-4.0``).
    """

    name: str = field(validator=_SAID)
    uri: str | None = field(default=None, validator=_is_uri)
    identifier: str | None = None


@frozen
class Funder:
    """Who pays for the beam time; the proposal becomes the award.

    Attributes
    ----------
    name
        Its name.
    identifier
        Its identifier.
    identifier_type
        Whose identifier that is.
    """

    name: str = field(validator=_SAID)
    identifier: str | None = field(default=None, validator=validators.optional(_SAID))
    identifier_type: FunderIdentifierType = "ROR"


@frozen
class DataciteOptions:
    """A repository at DataCite, and how its DOIs and their metadata look.

    Attributes
    ----------
    system
        ``test`` or ``production``, or the URL of something that speaks DataCite's REST API. There is no
        default: what has once been published in production stays there.
    repository
        The identifier of the repository's account (``TIB.ALBA``).
    password
        Its password, or an API key.
    prefix
        The prefix of its DOIs (``10.12345``).
    suffix
        A template of what follows the slash, of ``{facility}``, ``{name}``, ``{visit}``, ``{id}`` (in ICAT)
        and ``{hash}`` (of facility, name and visit). Never change it once DOIs have been minted.
    landing_page
        A template of the page behind a DOI, of ``{doi}``, ``{id}``, ``{name}`` and ``{visit}``.
    state
        What becomes of a DOI: a ``draft`` can be deleted, ``registered`` ones resolve, ``findable`` ones are
        in DataCite's index as well. None ever goes back to a draft.
    publisher
        Who makes the data public.
    rights
        The licence of the data.
    funder
        Who pays for all of the beam time, beside what ICAT's funding references say.
    language
        The language of titles and summaries (``en``).
    contact
        An e-mail address for DataCite's operators, sent with each request.
    requests_in_five_minutes
        How many requests this process sends at most; DataCite allows 3000 to an address, and its test system
        750.
    timeout
        How long an answer may take.
    ca_file
        A file of certificates (PEM) to trust instead of the system's.
    """

    system: str = field(validator=_is_system)
    repository: str = field(validator=_SAID)
    password: Secret
    prefix: str = field(validator=_is_prefix)
    landing_page: str = field(validator=_is_page)
    publisher: Publisher
    suffix: str = field(default="{name}-{visit}-{hash}", validator=_is_suffix)
    state: State = "draft"
    rights: Rights | None = None
    funder: Funder | None = None
    language: str | None = None
    contact: str | None = None
    requests_in_five_minutes: int = field(default=500, validator=validators.ge(10))
    timeout: timedelta = field(default=timedelta(seconds=30), validator=validators.gt(timedelta(0)))
    ca_file: str | None = None

    @property
    def url(self) -> str:
        """Where the REST API is."""
        return SYSTEMS.get(self.system, self.system)

    def page(self, doi: str, of: Identity) -> str:
        """Give the landing page of a DOI.

        Raises
        ------
        Reject
            Where a name of dots alone would make it another page: browsers take ``..`` away, quoted or not.
        """
        for what, text in (("name", of.name), ("visit", of.visit_id)):
            if f"{{{what}}}" in self.landing_page and not text.strip("."):
                raise Reject(
                    f"the landing page of investigation {of.id} would be another one: its {what} is of dots "
                    f"alone; rename it in ICAT, or use {{id}} or {{doi}} in landingPage"
                )
        values = {
            "doi": quote(doi),
            "id": str(of.id),
            "name": quote(of.name, safe=""),
            "visit": quote(of.visit_id, safe=""),
        }
        return self.landing_page.format_map(values)
