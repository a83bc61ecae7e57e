"""Django's accounts, whose permissions in the admin pages are those of roles that administer."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.backends import ModelBackend

from pacer_dashboard.access.viewers import viewer_of


class Accounts(ModelBackend):
    """Passwords as Django has them; who administers may everything in the admin pages, and nobody else."""

    def has_perm(self, user_obj: Any, perm: str, obj: Any = None) -> bool:
        """Tell whether an account administers; read once for the account as this request has it."""
        return _administers(user_obj)

    def has_module_perms(self, user_obj: Any, app_label: str) -> bool:
        """Tell whether an account administers."""
        return _administers(user_obj)


def _administers(user: Any) -> bool:
    if not user.is_active or user.is_anonymous:
        return False
    if not hasattr(user, "_administers"):
        user._administers = viewer_of(user).everything
    return bool(user._administers)
