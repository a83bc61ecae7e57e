"""Who may see and do what: roles made of rules, given to accounts and to groups of the sign-in service."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import models

from pacer_dashboard.access.grammar import group_name, text_of_identifiers, text_of_types


class Role(models.Model):
    """Rules under a name. Without a rule, and with empty ones, it gives nothing."""

    name = models.CharField(max_length=150, unique=True)
    description = models.TextField(blank=True)
    administers = models.BooleanField(
        "administrator",
        default=False,
        help_text="Sees and does everything, and may change roles, accounts and tokens.",
    )
    users = models.ManyToManyField(
        settings.AUTH_USER_MODEL, blank=True, related_name="dashboard_roles", verbose_name="accounts"
    )

    class Meta:
        app_label = "pacer_dashboard"
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class RoleRule(models.Model):
    """Rights over messages of some types that have some identifiers; a role's rules are OR-ed."""

    role = models.ForeignKey(Role, on_delete=models.CASCADE, related_name="rules")
    types = models.JSONField(default=list, blank=True)
    """Names of message types, or ``["*"]`` for every one; ``[]`` is none."""
    identifiers = models.JSONField(default=dict, blank=True)
    """Values by key, keys AND-ed and values OR-ed; ``{"*": ["*"]}`` for any identifiers; ``{}`` is none."""
    view = models.BooleanField("see", default=True)
    act = models.BooleanField("acknowledge", default=False)
    reingest = models.BooleanField("send again", default=False)
    personal = models.BooleanField("payloads", default=False)

    class Meta:
        app_label = "pacer_dashboard"
        ordering = ("pk",)

    def __str__(self) -> str:
        rights = ", ".join(name for name in ("view", "act", "reingest", "personal") if getattr(self, name))
        of = text_of_types(self.types).replace("\n", ", ") or "no type"
        having = text_of_identifiers(self.identifiers).replace("\n", "; ")
        return f"{rights or 'nothing'} of {of} with {having or 'no identifiers'}"


class RoleGroup(models.Model):
    """A group of the sign-in service, as its claim spells it: who is in it has the role."""

    role = models.ForeignKey(Role, on_delete=models.CASCADE, related_name="groups")
    name = models.CharField("group", max_length=255)

    class Meta:
        app_label = "pacer_dashboard"
        ordering = ("name",)
        constraints = (models.UniqueConstraint(fields=("role", "name"), name="pacer_dashboard_role_group"),)

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Store the name as names of claims are compared."""
        self.name = group_name(self.name)
        super().save(*args, **kwargs)

    def __str__(self) -> str:
        return self.name


class SignedIn(models.Model):
    """Who an account is at the sign-in service: issuer and subject, which alone are stable.

    OpenID Connect Core 1.0, 5.7: neither a name nor an address may be used to recognise somebody.
    """

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="signed_in")
    issuer = models.CharField(max_length=500)
    subject = models.CharField(max_length=255)
    groups = models.JSONField(default=list, blank=True)
    """Names of groups as the latest login said them."""
    at = models.DateTimeField(auto_now=True)

    class Meta:
        app_label = "pacer_dashboard"
        verbose_name_plural = "signed in"
        constraints = (models.UniqueConstraint(fields=("issuer", "subject"), name="pacer_dashboard_subject"),)

    def __str__(self) -> str:
        return f"{self.subject} at {self.issuer}"
