"""Rules that tell people when something is wrong, where they are told, and what was told."""

from __future__ import annotations

from django.db import models

from pacer_dashboard.models.fields import Name


class AlertRule(models.Model):
    """What is watched. It is raised above ``raise_at`` for ``for_minutes``, and over below ``clear_at``."""

    class Kind(models.TextChoices):
        """What is measured."""

        ERROR_RATE = "error-rate"
        SILENCE = "silence"
        DEAD = "dead"
        CHECK_OVERDUE = "check-overdue"

    id = models.BigAutoField(primary_key=True)
    name = Name(unique=True)
    kind = Name(max_length=16, choices=Kind.choices)
    type = Name(default="", blank=True)
    """The message type; empty for all of them."""
    match = models.TextField(default="", blank=True)
    """Of a dead letter: its kind of failure, or a text in its reason."""
    window_minutes = models.IntegerField(default=60)
    raise_at = models.FloatField(default=0)
    clear_at = models.FloatField(default=0)
    for_minutes = models.IntegerField(default=0)
    repeat_hours = models.IntegerField(default=24)
    mail = models.TextField(default="", blank=True)
    """Addresses, one a line."""
    webhook = models.TextField(default="", blank=True)
    """An address that takes what Slack and Mattermost take."""
    enabled = models.BooleanField(default=True)
    raised_at = models.DateTimeField(null=True)
    above_since = models.DateTimeField(null=True)
    told_at = models.DateTimeField(null=True)
    value = models.FloatField(null=True)
    looked_at = models.DateTimeField(null=True)
    trouble = models.TextField(default="", blank=True)


class AlertEvent(models.Model):
    """That a rule was raised, is so still, or is over, and who was told."""

    id = models.BigAutoField(primary_key=True)
    rule = models.ForeignKey(AlertRule, on_delete=models.CASCADE, related_name="events")
    at = models.DateTimeField(db_index=True)
    what = Name(max_length=8)
    value = models.FloatField(null=True)
    text = models.TextField()
    told = models.JSONField(default=list)
    trouble = models.TextField(default="")
