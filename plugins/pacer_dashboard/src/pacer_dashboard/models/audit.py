"""What people have done. Rows are added, and never changed: triggers of the database refuse that."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from pacer_dashboard.models.fields import ACTOR, Name


class Audit(models.Model):
    """One thing that somebody did: who (by number and name), what, to what, why, and more as ``detail``."""

    id = models.BigAutoField(primary_key=True)
    at = models.DateTimeField(db_default=Now(), db_index=True)
    actor = Name(max_length=ACTOR, db_index=True)
    account = models.BigIntegerField(null=True)
    token = models.BigIntegerField(null=True)
    action = Name(max_length=64, db_index=True)
    subject = models.TextField(default="")
    note = models.TextField(default="")
    count = models.BigIntegerField(default=1)
    detail = models.JSONField(default=dict)

    class Meta:
        indexes = (models.Index(fields=("account", "id"), name="audit_account"),)
