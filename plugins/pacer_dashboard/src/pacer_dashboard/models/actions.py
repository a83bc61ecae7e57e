"""Messages that are sent again: batches, and their items one by one."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from pacer_dashboard.models.fields import ACTOR, Name


class Batch(models.Model):
    """Messages that somebody sends again, for one reason and to one kind of target.

    ``holder`` works on it until ``held_until``, and says so anew as long as it lives. ``request`` is of the
    form that was sent: sending the form twice makes one batch.

    It is sent with the rights of ``account``, or of ``token`` where one was shown; ``actor`` is the name, for
    people. These are numbers and no relations: what is withdrawn leaves its number, and gives nothing.
    """

    class State(models.TextChoices):
        """How far it is."""

        WAITING = "waiting"
        RUNNING = "running"
        DONE = "done"
        CANCELLED = "cancelled"

    class Target(models.TextChoices):
        """Where its messages go."""

        ORIGINAL = "original"
        QUEUE = "queue"
        ROUTE = "route"

    id = models.BigAutoField(primary_key=True)
    request = Name(max_length=64, unique=True)
    at = models.DateTimeField(db_default=Now())
    actor = Name(max_length=ACTOR)
    account = models.BigIntegerField(null=True)
    token = models.BigIntegerField(null=True)
    reason = models.TextField()
    query = models.TextField(default="")
    target = Name(max_length=8, choices=Target.choices)
    exchange = Name(default="")
    routing_key = Name(default="")
    rate = models.FloatField()
    dry_run = models.BooleanField()
    edited = models.BooleanField(default=False)
    total = models.IntegerField(default=0)
    state = Name(max_length=9, choices=State.choices, default=State.WAITING)
    trouble = models.TextField(default="")
    cancelled_by = Name(max_length=ACTOR, default="")
    finished_at = models.DateTimeField(null=True)
    holder = Name(max_length=64, default="")
    held_until = models.DateTimeField(null=True)

    class Meta:
        indexes = (models.Index(fields=("state",), name="batch_state"),)


class Item(models.Model):
    """One message of a batch; ``sent_as`` is the correlation id of its new life.

    It is ``sending`` from before it is published until the broker's word is written down: whoever finds one
    in this state after a crash cannot know whether it went out, sends it, and counts that in ``sent_before``.
    """

    class State(models.TextChoices):
        """What became of it."""

        WAITING = "waiting"
        SENDING = "sending"
        SENT = "sent"
        FAILED = "failed"
        WOULD = "would"
        CANCELLED = "cancelled"

    id = models.BigAutoField(primary_key=True)
    batch = models.ForeignKey(Batch, on_delete=models.CASCADE, related_name="items")
    origin = Name()
    sent_as = Name(max_length=64, unique=True)
    exchange = Name()
    routing_key = Name()
    state = Name(max_length=9, choices=State.choices, default=State.WAITING)
    reason = models.TextField(default="")
    at = models.DateTimeField(null=True)
    sent_before = models.IntegerField(default=0)
    body = models.TextField(null=True)

    class Meta:
        indexes = (
            models.Index(fields=("batch", "state", "id"), name="item_state"),
            models.Index(fields=("origin",), name="item_origin"),
        )
