"""PACERs that are watched."""

from __future__ import annotations

from django.db import models

from pacer_dashboard.models.fields import Name


class Watched(models.Model):
    """A PACER's health endpoint, what it said last, and since when it has not answered."""

    url = Name(primary_key=True, max_length=500)
    asked_at = models.DateTimeField(null=True)
    answered_at = models.DateTimeField(null=True)
    silent_since = models.DateTimeField(null=True)
    why = models.TextField(default="")
    said = models.JSONField(default=dict)
