"""Groups of failures that are the same one."""

from __future__ import annotations

from django.db import models

from pacer_dashboard.models.fields import Name


class ErrorGroup(models.Model):
    """All failures with one fingerprint.

    ``count`` is of sights. A group that was merged points to the one that stands for it; the messages of both
    keep their own, so that they can be split again.
    """

    class Status(models.TextChoices):
        """What people think of it; one that is resolved is open again when it comes back."""

        OPEN = "open"
        RESOLVED = "resolved"
        IGNORED = "ignored"

    id = models.BigAutoField(primary_key=True)
    fingerprint = Name(max_length=32)
    version = models.IntegerField()
    task = Name()
    kind = Name(max_length=32)
    title = models.TextField()
    first_seen = models.DateTimeField()
    last_seen = models.DateTimeField(db_index=True)
    count = models.BigIntegerField()
    status = Name(max_length=8, choices=Status.choices, default=Status.OPEN)
    status_at = models.DateTimeField(null=True)
    status_by = Name(default="")
    status_note = models.TextField(default="")
    regressed_at = models.DateTimeField(null=True)
    merged_into = models.ForeignKey(
        "self", null=True, on_delete=models.SET_NULL, related_name="merged", db_constraint=False
    )
    revision = models.BigIntegerField(default=0)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("fingerprint",), name="errorgroup_fingerprint"),)


class ErrorDay(models.Model):
    """How many failures a group had on one day (UTC)."""

    pk = models.CompositePrimaryKey("group", "day")
    group = models.ForeignKey(ErrorGroup, on_delete=models.CASCADE, related_name="days")
    day = models.DateField()
    count = models.BigIntegerField()
