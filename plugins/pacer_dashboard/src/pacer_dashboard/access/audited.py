"""Notes in the audit log of what was changed about roles, accounts and tokens."""

from __future__ import annotations

import json
from typing import Any

from django.contrib.admin.utils import quote


def note(actor: str, what: str, about: Any, details: Any) -> None:
    """Write that ``actor`` did ``what`` to a role, an account or a token: names of fields, never a value."""
    from pacer_dashboard.models.audit import Audit

    kind = about._meta.verbose_name
    text = details if isinstance(details, str) else json.dumps(details, ensure_ascii=False)
    Audit.objects.create(
        actor=actor, action=f"access-{what}", subject=f"{kind} {quote(about.pk)} {about}", note=text
    )
