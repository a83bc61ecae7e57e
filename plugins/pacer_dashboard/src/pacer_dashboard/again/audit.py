"""Writing down what people do."""

from __future__ import annotations

from typing import Any

from pacer_dashboard.again import who
from pacer_dashboard.models import Audit
from pacer_dashboard.query import Viewer

_LONGEST = 10_000


def note(
    viewer: Viewer, action: str, subject: str, reason: str = "", *, count: int = 1, **detail: Any
) -> None:
    """Write that somebody did something, in the transaction in which it is done."""
    Audit.objects.create(
        **who.by(viewer),
        action=action,
        subject=subject[:_LONGEST],
        note=reason[:_LONGEST],
        count=count,
        detail=detail,
    )
