"""Investigations that are looked after once they have ended, and what was found of each."""

from __future__ import annotations

from django.db import models

from pacer_dashboard.models.fields import Name


class Finding(models.TextChoices):
    """What is known of something that an investigation should have."""

    PRESENT = "present"
    MISSING = "missing"
    UNKNOWN = "unknown"


class InvestigationCheck(models.Model):
    """An investigation, and what was found when it was last looked at."""

    id = models.BigAutoField(primary_key=True)
    investigation = Name()
    visit_id = Name()
    ended = models.DateTimeField()
    doi = Name(max_length=8, choices=Finding.choices, default=Finding.UNKNOWN)
    panosc = Name(max_length=8, choices=Finding.choices, default=Finding.UNKNOWN)
    first_check = models.DateTimeField()
    last_check = models.DateTimeField()
    checks = models.IntegerField(default=0)
    sent = models.IntegerField(default=0)
    note = models.TextField(default="")
    settled = models.BooleanField(default=False, db_index=True)
    """Nothing is lacking, or it is out of the window, or ICAT has it no more."""

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("investigation", "visit_id"), name="check_investigation"),
        )


class InvestigationLook(models.Model):
    """One look at an investigation that found something else than the one before, or sent something."""

    id = models.BigAutoField(primary_key=True)
    check_of = models.ForeignKey(InvestigationCheck, on_delete=models.CASCADE, related_name="looks")
    at = models.DateTimeField()
    doi = Name(max_length=8)
    panosc = Name(max_length=8)
    operations = models.JSONField(default=list)
    sent_as = Name(max_length=64, default="")
    note = models.TextField(default="")


class CheckRun(models.Model):
    """One run of the checks: when, how much it looked at, and what kept it from doing more."""

    id = models.BigAutoField(primary_key=True)
    at = models.DateTimeField(db_index=True)
    finished_at = models.DateTimeField(null=True)
    looked = models.IntegerField(default=0)
    lacking = models.IntegerField(default=0)
    unknown = models.IntegerField(default=0)
    sent = models.IntegerField(default=0)
    failed = models.IntegerField(default=0)
    trouble = models.TextField(default="")
