"""What goes wrong with a question."""

from __future__ import annotations

from pacer_core import PacerError


class BadFilter(PacerError):
    """A parameter of a filter says nothing that can be asked for."""

    def __init__(self, parameter: str, why: str) -> None:
        super().__init__(f"{parameter}: {why}")
        self.parameter, self.why = parameter, why


class NotVisible(PacerError):
    """What was asked for is not there, or not for this viewer: he is not told which."""

    def __init__(self, what: str) -> None:
        super().__init__(f"there is no {what}, or it is not for you to see")
