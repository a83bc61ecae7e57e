"""Tokens of the API: what a program shows instead of a login."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from pacer_dashboard.models.access import Role


class Token(models.Model):
    """A token, of which only a hash is stored; it gives what its role gives, while its owner has it."""

    name = models.CharField(max_length=150)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="dashboard_tokens"
    )
    role = models.ForeignKey(Role, on_delete=models.CASCADE, related_name="tokens")
    digest = models.CharField(max_length=64, unique=True, editable=False)
    """SHA-256 of the token in hexadecimal. A token has 256 random bits, so a slow hash would add nothing."""
    hint = models.CharField(max_length=16, editable=False)
    """Its first characters, by which its owner tells it from others."""
    created = models.DateTimeField(auto_now_add=True)
    expires = models.DateTimeField()
    last_used = models.DateTimeField(null=True, blank=True, editable=False)
    """To the minute."""

    class Meta:
        app_label = "pacer_dashboard"
        ordering = ("-created",)

    def __str__(self) -> str:
        return f"{self.name} ({self.hint}…)"
