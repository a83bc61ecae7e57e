"""Filters as parameters: described for OpenAPI, and read by the query layer as those of the pages are."""

from __future__ import annotations

from collections.abc import Container

from django.http import HttpRequest
from ninja import Schema
from pydantic import Field

from pacer_dashboard.query.errors import BadFilter
from pacer_dashboard.query.filters import Filter


class FilterIn(Schema):
    """Which messages; all that is said has to hold, of several values of one parameter any."""

    type: list[str] = Field([], description="Message types.")
    consumer: list[str] = Field([], description="Consumers of the first stage.")
    state: list[str] = Field([], description="acked, retried or dead.")
    instrument: list[str] = Field([])
    proposal: list[str] = Field([])
    dataset: list[str] = Field([])
    id: list[str] = Field([], description="Identifiers, `key=value`; each has to hold.")
    q: list[str] = Field(
        [], description="Words in identifiers, errors and, where you may see them, payloads."
    )
    group: str | None = Field(None, description="The number of an error group.")
    since: str | None = Field(None, description="A day, or a time in ISO 8601, of arrival.")
    until: str | None = Field(None, description="A day, which is included, or a time in ISO 8601.")
    exchange: str | None = None
    key: str | None = Field(None, description="The routing key.")
    acknowledged: str | None = Field(None, description="yes or no.")
    not_: list[str] = Field([], alias="not", description="What is not wanted, `type=users`.")


PARAMETERS = frozenset(field.alias or name for name, field in FilterIn.model_fields.items())


def filter_of(request: HttpRequest, *others: str) -> Filter:
    """Read the filter of a request, which has no parameters but these and ``others``.

    Raises
    ------
    BadFilter
        Where a parameter is not known: to leave it aside would give more than was asked for.
    """
    only(request, {*PARAMETERS, *others})
    return Filter.from_query(request.GET)


def only(request: HttpRequest, known: Container[str]) -> None:
    """Refuse parameters that are not known.

    Raises
    ------
    BadFilter
        With the first one.
    """
    for name in request.GET:
        if name not in known:
            raise BadFilter(name[:50], "is not a parameter here: /api/v1/openapi.json names all of them")


def plain(parameter: str, text: str) -> str:
    """Give a text as a database can look for it.

    Raises
    ------
    BadFilter
        Where it has a character that no database takes.
    """
    if "\0" in text:
        raise BadFilter(parameter, "holds the character 0")
    return text
