"""The one call of ICAT+'s REST API that a gallery needs (``icat-plus-client``, ``DataacquisitionApi``)."""

from __future__ import annotations

import base64
import mimetypes

from pacer_core import Retry
from pacer_http import HttpClient, addressed, segment
from pacer_icatplus.options import IcatPlusOptions


class IcatPlus:
    """An ICAT+ server: ``ctx[ICATPLUS]``; safe to use from many threads."""

    def __init__(self, options: IcatPlusOptions, http: HttpClient) -> None:
        self.options = options
        self._http = http
        self._path = f"/dataacquisition/{segment(options.api_key.reveal())}"

    def upload(self, name: str, content: bytes, *, dataset: int, investigation: str, instrument: str) -> str:
        """Store an image; give the id under which ICAT+ has it. Doing it twice stores it twice.

        Parameters
        ----------
        name
            The file's name, from whose ending the media type is guessed.
        content
            Its bytes.
        dataset
            The dataset's id in ICAT.
        investigation, instrument
            Their names.

        Raises
        ------
        Away, Forbidden, Refused
            As `pacer_http` says.
        Retry
            Where ICAT+ gives no id.
        """
        kind = mimetypes.guess_type(name, strict=True)[0] or "application/octet-stream"
        # As the vendor's own client writes it.
        data = f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"
        answer = self._http.request(
            "POST",
            f"{self._path}/base64",
            params={"investigationName": investigation, "instrumentName": instrument},
            json={"base64": data, "datasetId": dataset, "software": "PACER"},
        )
        found = answer.entries().get("_id")
        if not isinstance(found, str) or not found or len(found.split()) != 1:
            raise Retry("ICAT+ has taken a file and given no id for it")
        return found

    def check(self) -> None:
        """Ask ICAT+ for something harmless that needs the key.

        Raises
        ------
        Away, Forbidden
            Where it is away, or refuses the key.
        """
        with addressed("url", self.options.url, "the root of ICAT+"):
            answer = self._http.request(
                "GET",
                f"{self._path}/investigation",
                params={"instrumentName": "pacer", "investigationName": "pacer-check"},
                expect=(200, 400, 404),
            )
            if "html" in answer.headers.get("content-type", ""):
                answer.json()  # ICAT+ itself tells in JSON what it has not
