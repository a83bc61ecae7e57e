"""An answer as a plugin sees it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from attrs import field, frozen

from pacer_http.failures import Away


@frozen
class Answer:
    """What the other side has said; read to its end.

    ``what`` names the request in errors, ``headers`` are by lower-case name. The body stays out of ``repr``:
    it may be about people.
    """

    status: int
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(factory=dict, repr=False)
    what: str = ""

    def json(self) -> Any:
        """Give the body as JSON.

        Raises
        ------
        Away
            Where it is none: a proxy or a login page has answered instead, or the body was cut.
        """
        try:
            return json.loads(self.body)
        except ValueError:
            kind = self.headers.get("content-type", "").partition(";")[0].strip() or "an unnamed type"
            raise Away(
                f"{self.what} was answered with {self.status} and no JSON ({kind}): "
                "look what stands between PACER and the service",
                self,
            ) from None

    def entries(self) -> Mapping[str, Any]:
        """Give the body as a JSON object.

        Raises
        ------
        Away
            Where it is something else.
        """
        found = self.json()
        if not isinstance(found, dict):
            raise Away(f"{self.what} was answered with {self.status} and no JSON object", self)
        return found
