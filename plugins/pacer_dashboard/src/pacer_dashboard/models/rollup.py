"""Counts and times by hour, day and month, and the clock of changes."""

from __future__ import annotations

from django.db import models

from pacer_dashboard.models.fields import Name


class Clock(models.Model):
    """The last revision that was given out; its one row is locked by whoever changes messages."""

    revision = models.BigIntegerField()


class Rollup(models.Model):
    """What happened in one hour, day or month (UTC), in one of its combinations.

    With an empty ``task``: of sights, by outcome, in the bucket in which they finished, with histograms of
    processing and queueing times; and of messages that arrived in it. With a ``task``: how often it ran, how
    often it failed (``dead``), and its times. Histograms are counts by bin, as `query.histogram` has them.
    """

    class Step(models.TextChoices):
        """How long a bucket is."""

        HOUR = "h"
        DAY = "d"
        MONTH = "m"

    pk = models.CompositePrimaryKey("step", "bucket", "type", "consumer", "instrument", "task")
    step = Name(max_length=1, choices=Step.choices)
    bucket = models.DateTimeField()
    type = Name()
    consumer = Name()
    instrument = Name()
    task = Name()
    messages = models.BigIntegerField(default=0)
    acked = models.BigIntegerField(default=0)
    retried = models.BigIntegerField(default=0)
    dead = models.BigIntegerField(default=0)
    processing = models.JSONField(default=dict)
    queueing = models.JSONField(default=dict)
