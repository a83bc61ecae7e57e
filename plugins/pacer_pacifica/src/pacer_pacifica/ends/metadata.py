"""Pacifica's metadata service: a transaction in one request, which it takes once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from attrs import field, frozen, validators

from pacer_core import IntegrationType
from pacer_http import Away, HttpClient, is_away, is_url
from pacer_pacifica.bundles.errors import CatalogueError
from pacer_pacifica.bundles.metadata import Metadata
from pacer_pacifica.ends.policy import said_by

_REFUSALS = (400, 409, 412, 422)
_OF_THE_ROWS = (b"Invalid metadata", b"DoesNotExist", b"IntegrityError", b"DataError")
"""What the traceback of a 500 names where the rows are to blame, and not the service."""


@frozen
class MetadataOptions:
    """Where metadata go.

    Attributes
    ----------
    url
        The root of Pacifica's metadata service: ``http://metadata.example.org:8121``.
    timeout
        How long one answer may take.
    ca_file
        Certificates (PEM) to trust instead of the system's.
    """

    url: str = field(validator=is_url)
    timeout: timedelta = field(default=timedelta(minutes=5), validator=validators.gt(timedelta(0)))
    ca_file: str | None = None


class MetadataService:
    """The service; threads share it."""

    def __init__(self, http: HttpClient) -> None:
        self._http = http

    def check(self) -> None:
        """Ask for the service's greeting."""
        self._http.request("GET", "/").entries()

    def has(self, job_id: int, first: int) -> bool:
        """Tell whether it has the transaction of a job: one of that number, with our first file.

        Raises
        ------
        Away
            Where it is away.
        """
        if not self._rows("/transactions", job_id):
            return False
        return any(str(row.get("transaction")) == str(job_id) for row in self._rows("/files", first))

    def ingest(self, metadata: Metadata, job_id: int, first: int) -> None:
        """Store a transaction with all its rows; where it is there already, that is well.

        Raises
        ------
        CatalogueError
            Where the service refuses it; says why.
        Away
            Where it is away.
        """
        rows = metadata.with_ids(job_id, first)
        try:
            answer = self._http.request(
                "PUT", "/ingest", json=rows, expect=(200, 500, *_REFUSALS), repeatable=False
            )
        except Away:
            if self.has(job_id, first):  # it was carried out, and the answer was lost
                return
            raise
        if answer.status == 200 and answer.entries().get("status") == "success":
            return
        # It takes a transaction once, and refuses the same one with 400.
        if self.has(job_id, first):
            return
        if answer.status != 500 or any(words in answer.body for words in _OF_THE_ROWS):
            raise CatalogueError(f"the metadata service refuses the upload: {said_by(answer)}")
        raise Away(f"{answer.what} was answered with {answer.status}", answer)

    def _rows(self, path: str, number: int) -> list[Mapping[str, Any]]:
        answer = self._http.request("GET", path, params={"_id": number})
        found = answer.json()
        if not isinstance(found, list) or not all(isinstance(row, Mapping) for row in found):
            raise Away(f"{answer.what} was answered with no list of rows", answer)
        return found


@contextmanager
def open_metadata(options: MetadataOptions) -> Iterator[MetadataService]:
    """Give the client of a process; nothing is asked until a task does."""
    with HttpClient(
        "the metadata service", options.url, timeout=options.timeout, ca_file=options.ca_file
    ) as http:
        yield MetadataService(http)


PACIFICA_METADATA: IntegrationType[MetadataService] = IntegrationType(
    name="pacifica-metadata",
    options=MetadataOptions,
    open=open_metadata,
    check=MetadataService.check,
    is_away=is_away,
)
"""``ctx[PACIFICA_METADATA]`` is the process's `MetadataService`."""
